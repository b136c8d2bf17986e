"""The machine's limit: the multiplications of a network, and the machine's rate of them.

A network that did nothing but its matrix products, at the rate of the fastest product this machine
has, would score `rate / flop_a_row` rows a second. Nothing can be faster; how near a graph comes
is the share that the table shows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from threadpoolctl import threadpool_limits

from pipeline.detector.bundle.graph import CHUNK, INPUT

_SQUARE = 1024
_LEAST_S = 0.2


@dataclass(frozen=True)
class Product:
    """A matrix product of a graph for a chunk: `batch` times (m, k) by (k, n)."""

    batch: int
    m: int
    k: int
    n: int

    @property
    def flop(self) -> float:
        """Multiplications and additions."""
        return 2.0 * self.batch * self.m * self.k * self.n


def products(graph: bytes) -> list[Product]:
    """Every MatMul and Gemm of a graph, in the shapes that a chunk gives them."""
    model = onnx.load_from_string(graph)
    nodes = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
    held = {value.name: tuple(value.dims) for value in model.graph.initializer}
    shown = sorted({n for node in nodes for n in [*node.input[:2], *node.output]} - set(held))
    outputs = {value.name for value in model.graph.output} | {INPUT}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in shown if n not in outputs)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    width = session.get_inputs()[0].shape[1]
    rows = np.zeros((CHUNK, width), np.float32)
    asked = [name for name in shown if name != INPUT]
    made = session.run(asked, {INPUT: rows}) if asked else []
    shapes = held | {INPUT: rows.shape} | {n: v.shape for n, v in zip(asked, made, strict=True)}
    return [_product(node, shapes) for node in nodes]


def _product(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> Product:
    left, made = shapes[node.input[0]], shapes[node.output[0]]
    turned = any(a.name == "transA" and a.i for a in node.attribute)
    return Product(math.prod(made[:-2]), made[-2], left[-2] if turned else left[-1], made[-1])


def flop_a_row(graph: bytes) -> float:
    """The operations of a graph's matrix products for one row."""
    return sum(product.flop for product in products(graph)) / CHUNK


def square_rate(threads: int) -> float:
    """Operations a second of the fastest big product: OpenBLAS or ONNX Runtime, whichever."""
    square = Product(1, _SQUARE, _SQUARE, _SQUARE)
    left, right = np.random.default_rng(0).random((2, _SQUARE, _SQUARE), dtype=np.float32)
    made = np.empty_like(left)
    with threadpool_limits(threads):
        numpys = _rate(lambda: np.matmul(left, right, out=made), square.flop)
    return max(numpys, own_rate([square], threads))


def own_rate(shapes: list[Product], threads: int) -> float:
    """Operations a second of ONNX Runtime with products of these shapes and nothing else."""
    kind, random = onnx.TensorProto.FLOAT, np.random.default_rng(0)
    lefts = [random.random((p.batch, p.m, p.k), dtype=np.float32) for p in shapes]
    rights = [random.random((p.batch, p.k, p.n), dtype=np.float32) for p in shapes]
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node("MatMul", [f"left{n}", f"right{n}"], [f"made{n}"]) for n in range(len(shapes))],
        "products",
        [value(f"left{n}", kind, left.shape) for n, left in enumerate(lefts)],
        [value(f"made{n}", kind, (p.batch, p.m, p.n)) for n, p in enumerate(shapes)],
        [onnx.numpy_helper.from_array(right, f"right{n}") for n, right in enumerate(rights)],
    )
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    bound = session.io_binding()  # results stay where they are made: no copy is timed
    for n, (left, p) in enumerate(zip(lefts, shapes, strict=True)):
        bound.bind_ortvalue_input(f"left{n}", ort.OrtValue.ortvalue_from_numpy(left))
        made = np.empty((p.batch, p.m, p.n), np.float32)
        bound.bind_ortvalue_output(f"made{n}", ort.OrtValue.ortvalue_from_numpy(made))
    return _rate(lambda: session.run_with_iobinding(bound), sum(p.flop for p in shapes))


def _rate(work: Callable[[], object], flop: float) -> float:
    work()
    began, times = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < _LEAST_S:
        work()
        times += 1
    return flop * times / took

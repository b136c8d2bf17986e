"""The content of a serialised graph, read from its bytes before the graph runs.

onnxruntime reads tensors that a graph keeps in other files, and allocates constants as large as the
graph asks for. Both are detected here. The bytes are parsed by onnx, as onnxruntime does, so that
both see the same graph; nothing is loaded from another file. (To import onnx takes 0.05 s and
10 MiB of a cold `score`.)

The family and the loss are written into the graph as metadata. The loss that trained the network is
also the one in its score. With facts that name another loss, a graph would be scored, explained and
fine-tuned wrongly, and no number would show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper
from onnx.helper import set_model_props

from pipeline.detector.models.fitted import Facts
from pipeline.errors import BundleError

MOST_VALUES = 2**24
"""In one constant that a graph creates from a shape: 64 MB. Plimsoll's graphs create hundreds."""

_SHAPED_BY = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}
"""Operators whose output is larger than their input, and the input that holds its shape."""

_FAMILY, _LOSS = "plimsoll.family", "plimsoll.loss"


@dataclass
class Content:
    """The constants of a graph.

    Attributes:
        floats: values of its float32 constants, by name.
        integers: values of its int64 constants, by name; a name may stand for several.
        external: names of constants whose values are in other files.
        shaped: operators that create a tensor from a shape, and the name of that shape.
    """

    floats: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    integers: dict[str, list[list[int]]] = field(default_factory=dict)
    external: list[str] = field(default_factory=list)
    shaped: list[tuple[str, str]] = field(default_factory=list)


def content_of(graph: bytes) -> Content:
    """The content of the serialised `graph`.

    Raises:
        BundleError: the bytes are not a graph.
    """
    try:
        return _read(ModelProto.FromString(graph))
    except (DecodeError, ValueError) as error:
        msg = (
            f"model.onnx ({len(graph):,} bytes) cannot be loaded, as it is not a graph: {error}. "
            "Fetch the bundle again, or fit again."
        )
        raise BundleError(msg) from error


def refuse_beyond(content: Content) -> None:
    """Refuse a graph that reads other files or creates huge constants.

    Raises:
        BundleError: it reads another file, or creates a constant of more than 16,777,216 values.
    """
    fix = "It was made or changed elsewhere: fetch the bundle again, or fit again."
    if content.external:
        msg = (
            f"model.onnx keeps {content.external[0][:80]!r} in another file; a graph of a bundle "
            f"holds all that it needs. {fix}"
        )
        raise BundleError(msg)
    for operator, name in content.shaped:
        # Other shapes follow from the batch of rows.
        shapes = content.integers.get(name, [])
        values = max((math.prod(max(0, size) for size in shape) for shape in shapes), default=0)
        if values > MOST_VALUES:
            msg = (
                f"model.onnx creates a constant of {values:,} values ({operator[:40]}); at most "
                f"{MOST_VALUES:,} are allowed. {fix}"
            )
            raise BundleError(msg)


def _read(model: ModelProto) -> Content:
    found = Content()
    _read_graph(model.graph, found)
    for function in model.functions:
        _read_nodes(function.node, found)
    return found


def _read_graph(graph: GraphProto, found: Content) -> None:
    for tensor in graph.initializer:
        _read_tensor(tensor, tensor.name, found)
    for sparse in graph.sparse_initializer:
        _read_tensor(sparse.values, sparse.values.name, found)
        _read_tensor(sparse.indices, sparse.indices.name, found)
    _read_nodes(graph.node, found)


def _read_nodes(nodes: Iterable[NodeProto], found: Content) -> None:
    for node in nodes:
        place = _SHAPED_BY.get(node.op_type)
        if place is not None and place < len(node.input):
            found.shaped.append((node.op_type, node.input[place]))
        constant = node.output[0] if node.output and node.op_type == "Constant" else ""
        for attribute in node.attribute:
            _read_attribute(attribute, constant, found)


def _read_attribute(attribute: AttributeProto, constant: str, found: Content) -> None:
    """Read an attribute of a node; `constant` is the name of its constant, if it has one.

    Each field is read, whichever the attribute says is its own; those that are not set are empty.
    """
    for graph in (attribute.g, *attribute.graphs):
        _read_graph(graph, found)
    sparse = (attribute.sparse_tensor, *attribute.sparse_tensors)
    parts = (part for each in sparse for part in (each.values, each.indices))
    for tensor in (attribute.t, *attribute.tensors, *parts):
        _read_tensor(tensor, constant, found)
    listed = [*attribute.ints, *([attribute.i] if attribute.HasField("i") else [])]
    found.integers.setdefault(constant, []).append(listed)


def _read_tensor(tensor: TensorProto, name: str, found: Content) -> None:
    if tensor.external_data or tensor.data_location:
        found.external.append(name)
    elif tensor.data_type == TensorProto.FLOAT:
        found.floats[name] = numpy_helper.to_array(tensor).ravel()
    elif tensor.data_type == TensorProto.INT64:
        listed = numpy_helper.to_array(tensor).ravel().tolist()
        found.integers.setdefault(name, []).append(listed)


def metadata_of(family: str, loss: str) -> dict[str, str]:
    """The metadata of a graph."""
    return {_FAMILY: family, _LOSS: loss}


def with_metadata(graph: bytes, metadata: Mapping[str, str]) -> bytes:
    """The serialised `graph` with `metadata` in it, and no other."""
    model = ModelProto.FromString(graph)
    set_model_props(model, dict(sorted(metadata.items())))
    serialised: bytes = model.SerializeToString()
    return serialised


def refuse_other_metadata(facts: Facts, metadata: Mapping[str, str]) -> None:
    """Refuse a graph of another family or loss than the facts name.

    Raises:
        BundleError: graph, facts and settings disagree, or the graph has no metadata.
    """
    for what, stated, wanted in (
        ("family in the graph", metadata.get(_FAMILY), facts.family),
        ("loss in the graph", metadata.get(_LOSS), facts.loss),
        ("loss in the settings", facts.settings.get("loss"), facts.loss),
    ):
        if stated != wanted:
            msg = (
                f"The {what} is {stated!r}, and the facts of the fit say {wanted!r}; both must be "
                "the same, as the loss of the training is that of the score. The parts are of "
                "different fits: fetch the bundle again, or fit again."
            )
            raise BundleError(msg)

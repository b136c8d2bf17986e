"""Changes to a part of a bundle and its sums, as by somebody who can write to the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.detector.bundle.sums import write_sums

PARTS = (
    "model.onnx",
    "weights.safetensors",
    "detector.json",
    "golden.parquet",
    "reference.parquet",
)


def described(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """`detector.json` with its content changed in place."""
    path = folder / "detector.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    write_sums(folder)


def tabled(folder: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """A Parquet file with another table in it."""
    pq.write_table(change(pq.read_table(folder / name)), folder / name)
    write_sums(folder)


def graphed(folder: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    """`model.onnx` changed in place."""
    path = folder / "model.onnx"
    model = onnx.load_model_from_string(path.read_bytes())
    change(model)
    path.write_bytes(model.SerializeToString())
    write_sums(folder)


def scaled(model: onnx.ModelProto, factor: float) -> None:
    """Let the graph give `factor` times its scores."""
    helper = onnx.helper
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == "score":
                node.output[place] = "honest score"
    times = helper.make_tensor("factor", onnx.TensorProto.FLOAT, [], [factor])
    model.graph.initializer.append(times)
    model.graph.node.append(helper.make_node("Mul", ["honest score", "factor"], ["score"]))


def of_an_earlier_release(folder: Path) -> None:
    """Without what earlier releases did not write."""

    def forget(content: dict[str, Any]) -> None:
        del content["golden_rows"], content["calibration"]["drawn_between"]

    described(folder, forget)

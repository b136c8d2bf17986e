"""The content of a serialised graph, read from its bytes before the graph runs.

onnxruntime reads tensors that a graph keeps in other files, and allocates constants as large as the
graph asks for. Both are detected here. Importing the package onnx would take half a second, too
long for a cold `score`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.bundle.protobuf import Value, fields, message, numbers, text
from pipeline.errors import BundleError

MOST_VALUES = 2**24
"""In one constant that a graph creates from a shape: 64 MB. Plimsoll's graphs create hundreds."""

_NAMELESS = ""  # name of constants that no operator can refer to
_DEEPEST = 8  # levels of nested graphs; Plimsoll's graphs have none
_SHAPED_BY = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}
"""Operators whose output is larger than their input, and the input that holds its shape."""

# Field numbers in onnx.proto.
_MODEL_GRAPH, _MODEL_FUNCTIONS, _FUNCTION_NODE = 7, 25, 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NUMBERS, _ATTRIBUTE_TENSORS = (3, 8), (5, 10)
_ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (6, 11), (22, 23)
_SPARSE_TENSORS = (1, 2)
_TENSOR_KIND, _TENSOR_INTEGERS, _TENSOR_NAME, _TENSOR_RAW = 2, 7, 8, 9
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_FLOAT32, _INT64 = 1, 7  # TensorProto.DataType


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
    found = Content()
    try:
        for number, value in fields(memoryview(graph)):
            if number == _MODEL_GRAPH:
                _read_graph(message(value), found, depth=0)
            elif number == _MODEL_FUNCTIONS:
                _read_function(message(value), found)
    except ValueError as error:
        msg = (
            f"model.onnx ({len(graph):,} bytes) cannot be loaded, as it is not a graph: {error}. "
            "Fetch the bundle again, or fit again."
        )
        raise BundleError(msg) from error
    return found


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


def _read_graph(content: memoryview, found: Content, *, depth: int) -> None:
    if depth > _DEEPEST:
        msg = f"graphs lie more than {_DEEPEST} deep within each other"
        raise ValueError(msg)
    for number, value in fields(content):
        if number == _GRAPH_NODE:
            _read_node(message(value), found, depth=depth)
        elif number == _GRAPH_INITIALIZER:
            _read_tensor(message(value), found)
        elif number == _GRAPH_SPARSE:
            _read_sparse(value, found)


def _read_function(content: memoryview, found: Content) -> None:
    for number, value in fields(content):
        if number == _FUNCTION_NODE:
            _read_node(message(value), found, depth=1)


def _read_node(content: memoryview, found: Content, *, depth: int) -> None:
    parts = list(fields(content))
    operator = "".join(text(value) for number, value in parts if number == _NODE_OPERATOR)
    inputs = [text(value) for number, value in parts if number == _NODE_INPUT]
    outputs = [text(value) for number, value in parts if number == _NODE_OUTPUT]
    place = _SHAPED_BY.get(operator)
    if place is not None and place < len(inputs):
        found.shaped.append((operator, inputs[place]))
    constant = outputs[0] if outputs and operator == "Constant" else _NAMELESS
    for number, value in parts:
        if number == _NODE_ATTRIBUTE:
            _read_attribute(message(value), constant, found, depth=depth)


def _read_attribute(content: memoryview, constant: str, found: Content, *, depth: int) -> None:
    """Read an attribute of a node; `constant` is the name of its constant, if it has one."""
    whole: list[int] = []
    for number, value in fields(content):
        if number in _ATTRIBUTE_TENSORS:
            _read_tensor(message(value), found, name=constant)
        elif number in _ATTRIBUTE_GRAPHS:
            _read_graph(message(value), found, depth=depth + 1)
        elif number in _ATTRIBUTE_SPARSE:
            _read_sparse(value, found)
        elif number in _ATTRIBUTE_NUMBERS:
            whole += numbers(value)
    found.integers.setdefault(constant, []).append(whole)


def _read_sparse(value: Value, found: Content) -> None:
    for number, part in fields(message(value)):
        if number in _SPARSE_TENSORS:
            _read_tensor(message(part), found, name=_NAMELESS)


def _read_tensor(content: memoryview, found: Content, *, name: str | None = None) -> None:
    parts = list(fields(content))

    def held(field: int) -> list[Value]:
        return [value for number, value in parts if number == field]

    if name is None:
        name = "".join(text(value) for value in held(_TENSOR_NAME))
    if held(_TENSOR_EXTERNAL) or any(held(_TENSOR_LOCATION)):
        found.external.append(name)
        return
    kind = [number for value in held(_TENSOR_KIND) for number in numbers(value)]
    raw = message(held(_TENSOR_RAW)[-1]) if held(_TENSOR_RAW) else b""
    if kind[-1:] == [_FLOAT32]:
        found.floats[name] = np.frombuffer(raw, dtype="<f4")
    elif kind[-1:] == [_INT64]:
        listed = [number for value in held(_TENSOR_INTEGERS) for number in numbers(value)]
        found.integers.setdefault(name, []).append(listed or np.frombuffer(raw, "<i8").tolist())

"""What a graph holds, wherever in it: refused before onnxruntime sees it."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pipeline.detector.bundle.graph_content import MOST_VALUES, content_of, refuse_beyond
from pipeline.errors import BundleError

SHAPE = numpy_helper.from_array(np.array([MOST_VALUES, 2], dtype=np.int64), "shape")
HUGE = [
    helper.make_node("Constant", [], ["shape"], value=SHAPE),
    helper.make_node("ConstantOfShape", ["shape"], ["large"]),
]


def model(nodes=(), constants=()):
    return helper.make_model(helper.make_graph(list(nodes), "graph", [], [], list(constants)))


def branch(nodes):
    body = helper.make_graph(list(nodes), "body", [], [])
    return helper.make_node("If", ["yes"], ["out"], then_branch=body, else_branch=body)


def in_a_function():
    made = model()
    function = helper.make_function("own", "Large", [], ["large"], HUGE, made.opset_import)
    made.functions.append(function)
    return made


def elsewhere(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="elsewhere.bin")
    return tensor


@pytest.mark.parametrize(
    "made",
    [model(HUGE), model([branch([branch(HUGE)])]), in_a_function()],
    ids=["graph", "branch of a branch", "function"],
)
def test_a_huge_constant_is_found_wherever_it_is_made(made):
    with pytest.raises(BundleError, match=r"33,554,432 values \(ConstantOfShape\)"):
        refuse_beyond(content_of(made.SerializeToString()))


def test_values_in_another_file_are_found_in_a_sparse_constant_too():
    values = elsewhere(numpy_helper.from_array(np.ones(3, dtype=np.float32), "values"))
    indices = numpy_helper.from_array(np.arange(3), "indices")
    made = model()
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [9]))

    with pytest.raises(BundleError, match="keeps 'values' in another file"):
        refuse_beyond(content_of(made.SerializeToString()))


@pytest.mark.parametrize("raw", [True, False])
def test_constants_are_read_in_both_ways_that_onnx_keeps_them(raw):
    floats = np.array([1.5, -2.0], dtype=np.float32)
    kept = helper.make_tensor(
        "scale", onnx.TensorProto.FLOAT, [2], floats.tobytes() if raw else floats, raw=raw
    )

    content = content_of(model(constants=[kept]).SerializeToString())

    assert content.floats["scale"].tolist() == [1.5, -2.0]


@pytest.mark.parametrize("content", [b"\x00", b"junk" * 9, b"\x3a\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_graph_are_refused(content):
    with pytest.raises(BundleError, match="cannot be loaded, as it is not a graph"):
        content_of(content)


def test_a_constant_whose_bytes_do_not_fit_its_shape_is_refused():
    short = numpy_helper.from_array(np.ones(3, dtype=np.float32), "short")
    short.raw_data = short.raw_data[:-1]

    with pytest.raises(BundleError, match="is not a graph"):
        content_of(model(constants=[short]).SerializeToString())

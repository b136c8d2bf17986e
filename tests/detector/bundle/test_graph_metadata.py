"""The loss of the training is the loss of the score: parts of different fits are refused."""

import json
from dataclasses import replace

import onnx
import pytest

from pipeline.detector.bundle.bundle import load_bundle
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.bundle.graph_content import metadata_of, with_metadata
from pipeline.detector.bundle.sums import write_sums
from pipeline.detector.training.fit import restore
from pipeline.errors import BundleError
from tests.detector.plant import fitted_plant, write_plant


@pytest.fixture
def folder(tmp_path):
    write_plant(tmp_path / "bundle")
    return tmp_path / "bundle"


def describe(folder, change):
    """Change the network in detector.json, and update the hashes."""
    path = folder / "detector.json"
    content = json.loads(path.read_text())
    change(content["network"])
    path.write_text(json.dumps(content))
    write_sums(folder)


def test_a_graph_says_which_family_and_loss_it_is_of():
    metadata = {"plimsoll.family": "denoising", "plimsoll.loss": "mse"}

    assert Graph(fitted_plant().graph).metadata == metadata
    assert metadata_of("denoising", "mse") == metadata


def test_onnx_reads_the_metadata_and_finds_the_graph_valid():
    long = {"plimsoll.note": "x" * 300}

    model = onnx.load_from_string(with_metadata(fitted_plant().graph, long))

    onnx.checker.check_model(model)
    assert model.metadata_props[-1].value == "x" * 300


def test_a_bundle_whose_description_names_another_loss_is_refused(folder):
    def change(network):
        network["loss"] = network["settings"]["loss"] = "huber"

    describe(folder, change)

    with pytest.raises(BundleError, match=r"loss in the graph is 'mse', .* say 'huber'"):
        load_bundle(folder)


def test_a_bundle_whose_settings_and_facts_disagree_is_refused(folder):
    describe(folder, lambda network: network["settings"].update(loss="huber"))

    with pytest.raises(BundleError, match=r"loss in the settings is 'huber', .* say 'mse'"):
        load_bundle(folder)


def test_a_bundle_with_the_graph_of_another_family_is_refused(folder):
    describe(folder, lambda network: network["settings"].update(family="dense"))

    with pytest.raises(BundleError, match=r"family in the graph is 'denoising', .* say 'dense'"):
        load_bundle(folder)


def test_a_bundle_with_the_graph_of_another_loss_is_refused(folder):
    path = folder / "model.onnx"
    content = path.read_bytes()
    assert content.count(b"plimsoll.loss\x12\x03mse") == 1
    path.write_bytes(content.replace(b"plimsoll.loss\x12\x03mse", b"plimsoll.loss\x12\x03bce"))
    write_sums(folder)

    with pytest.raises(BundleError, match=r"loss in the graph is 'bce', .* say 'mse'"):
        load_bundle(folder)


def test_a_graph_without_metadata_is_refused(folder):
    path = folder / "model.onnx"
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    write_sums(folder)

    with pytest.raises(BundleError, match=r"family in the graph is None"):
        load_bundle(folder)


def test_a_network_is_not_restored_under_another_loss():
    fitted = fitted_plant()
    settings = {**fitted.facts.settings, "loss": "huber"}
    other = replace(fitted, facts=replace(fitted.facts, settings=settings, loss="huber"))

    with pytest.raises(BundleError, match="loss in the graph is 'mse'"):
        restore(other)

"""Derived inputs of a window besides its rows."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.config import DenoisingModel, Threshold
from pipeline.config.fitting import Window
from pipeline.data.split import Block
from pipeline.detector.bundle.bundle import load_bundle, write_bundle
from pipeline.detector.bundle.description import Provenance
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.calibration.calibrate import calibrate
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.models.family import InputShape
from pipeline.detector.training.fit import fit, restore
from pipeline.detector.training.network import WindowChannels, fit_channels, statistic
from pipeline.errors import ConfigError
from pipeline.records import from_json, to_json
from tests.builders import make_spec
from tests.detector.models.courses import LENGTH, SMALL, fit_slow, slow_rows, slow_windows, wins
from tests.detector.plant import CHANNELS, schema, timed

ALL = ("mean", "std", "min", "max")


@cache
def fitted(*, derivative=False, rolling=()):
    return fit_slow(DenoisingModel(**SMALL), derivative=derivative, rolling=rolling)


def test_changes_and_statistics_are_those_of_the_window():
    window = torch.tensor([[1.0, 10, 4, 10, 1, 40]])  # rows (1, 10), (4, 10), (1, 40)

    derived = WindowChannels(InputShape(3, 2, derivative=True, rolling=ALL)).derived(window)

    changes = [3, 0, -3, 30]
    np.testing.assert_allclose(
        derived[0], [*changes, 2, 20, np.sqrt(2), np.sqrt(200), 1, 10, 4, 40], rtol=1e-6
    )


def test_an_unknown_statistic_is_an_error():
    with pytest.raises(KeyError, match="median"):
        statistic("median", torch.zeros(1, 2, 3))


def test_pseudo_rows_are_in_deviations_of_their_own():
    rows = torch.from_numpy(slow_windows(1500, seed=1))
    shape = InputShape(LENGTH, len(CHANNELS), derivative=True, rolling=ALL)

    widened = fit_channels(shape, rows, (True,) * len(CHANNELS))(rows)

    torch.testing.assert_close(widened[:, : rows.shape[1]], rows)
    pseudo = widened[:, rows.shape[1] :]
    torch.testing.assert_close(pseudo.std(dim=0), torch.ones(pseudo.shape[1]), atol=0.01, rtol=0)
    assert pseudo.mean(dim=0).abs().max() < 0.01


def test_shapes_of_error_and_reconstruction_stay():
    graph = Graph(fitted(derivative=True, rolling=ALL).graph)
    rows = slow_windows(50, seed=2)

    assert graph.score(rows).error.shape == (len(rows), len(CHANNELS))
    made = graph.reconstruct(rows)
    assert made.shape == rows.shape
    assert np.abs(made - rows).mean() < rows.std()


def test_network_and_graph_agree():
    known = fitted(derivative=True, rolling=ALL)
    rows = slow_windows(500, seed=2)

    with torch.no_grad():
        by_torch = restore(known)(torch.from_numpy(rows)).score.numpy()

    by_graph = Graph(known.graph).score(rows).score
    np.testing.assert_allclose(by_graph, by_torch, atol=1e-5 * np.quantile(by_torch, 0.99))


def test_a_derivative_notices_a_jump_that_the_rows_alone_hardly_show():
    normal = slow_windows(600, seed=2, times=8)
    struck = normal.copy()  # in the newest row only
    struck[:, -len(CHANNELS) + 3] += 0.15 * normal[:, 3].std()

    def noticed(**channels):
        network = fit_slow(DenoisingModel(**SMALL), times=8, **channels)
        graph = Graph(network.graph)
        return wins(graph.score(struck).score, graph.score(normal).score)

    assert noticed() < 0.7
    assert noticed(derivative=True) > 0.95


def test_pseudo_rows_of_context_do_not_count_and_those_of_others_do():
    seen = replace(
        schema(window=LENGTH, timed=True), context=("load",), derivative=True, rolling=("std",)
    )
    network = fit(Block("train", timed(slow_rows(800, seed=1))), seen, DenoisingModel(**SMALL))

    error = Graph(network.graph).score(slow_windows(200, seed=2)).error

    assert (error[:, 0] == 0).all()
    assert (error[:, 1:] > 0).all()


def test_a_bundle_knows_what_its_network_sees(tmp_path):
    known = fitted(derivative=True, rolling=("mean", "std"))
    block = Block("calibration", timed(slow_rows(400, seed=3), start="2024-03-01"))
    calibration = calibrate(block, known.facts.schema, Graph(known.graph).score, Threshold())

    write_bundle(known, calibration, tmp_path, name="slow", provenance=Provenance({}, "", ""))
    bundle = load_bundle(tmp_path)

    assert bundle.schema.derivative
    assert bundle.schema.rolling == ("mean", "std")
    assert bundle.schema.inputs == LENGTH * len(CHANNELS)


def test_a_schema_from_before_there_were_channels_has_none():
    written = json.loads(json.dumps(to_json(schema(window=3, timed=True))))
    del written["derivative"], written["rolling"]

    assert from_json(Schema, written) == schema(window=3, timed=True)


@pytest.mark.parametrize("channels", [{"derivative": True}, {"rolling": ["mean"]}])
def test_single_rows_have_no_course(channels):
    with pytest.raises(ValidationError, match=r"at least 2 rows.*set window\.length"):
        Window(**channels)


def test_a_statistic_named_twice_is_refused():
    with pytest.raises(ValidationError, match="names std more than once"):
        Window(length=3, rolling=["std", "std"])


@pytest.mark.parametrize("loss", ["bce", "poisson"])
def test_a_loss_for_values_as_they_are_is_refused(loss):
    seen = replace(schema(window=3, timed=True), derivative=True)

    with pytest.raises(ConfigError, match=rf"model\.loss: {loss}.*Set model\.loss to mse"):
        fit(Block("train", timed(slow_rows(200))), seen, DenoisingModel(loss=loss))


def test_a_window_longer_than_a_day_is_refused_as_days_are_scored_one_by_one():
    make_spec(window={"length": 25})

    with pytest.raises(ValidationError, match=r"set window\.length to 25 or less"):
        make_spec(window={"length": 26})

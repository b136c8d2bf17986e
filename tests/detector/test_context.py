from dataclasses import replace

import numpy as np

from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.training.fit import fit
from tests.detector.plant import CHANNELS, SMALL, normal_rows, schema

WEATHER = "temperature"


def graph(context: tuple[str, ...]) -> Graph:
    frame = normal_rows(800, seed=1)
    return Graph(fit(Block("train", frame), replace(schema(), context=context), SMALL).graph)


def rows_and_heat_wave() -> tuple[np.ndarray, np.ndarray]:
    """Normal rows, and the same at a temperature that training has never seen."""
    rows = normal_rows(200, seed=3).to_numpy(np.float32)
    hot = rows.copy()
    hot[:, CHANNELS.index(WEATHER)] += 100
    return rows, hot


def test_a_heat_wave_is_an_anomaly_where_temperature_is_judged():
    rows, hot = rows_and_heat_wave()
    network = graph(context=())

    assert np.median(network.score(hot).score) > 10 * np.median(network.score(rows).score)


def test_a_heat_wave_is_read_as_the_hottest_day_known_where_temperature_is_context():
    rows, hot = rows_and_heat_wave()
    hottest = rows.copy()
    hottest[:, CHANNELS.index(WEATHER)] = normal_rows(800, seed=1)[WEATHER].max()
    network = graph(context=(WEATHER,))

    np.testing.assert_allclose(network.score(hot).score, network.score(hottest).score, rtol=1e-5)


def test_context_adds_nothing_to_a_score():
    rows, _ = rows_and_heat_wave()

    scored = graph(context=(WEATHER,)).score(rows)

    assert (scored.error[:, CHANNELS.index(WEATHER)] == 0).all()
    np.testing.assert_allclose(scored.error.sum(axis=1), scored.score, rtol=1e-5)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Columns, Feature
from pipeline.data.timeline import (
    Timeline,
    autocorrelation,
    between_entities,
    episodes,
    rows_within,
    runs,
    spaced,
    thinning_step,
    timeline_from,
)

MINUTES_10 = 600_000_000_000


def ticks(times: list[int], entities: list[int] | None = None) -> Timeline:
    """Rows at multiples of ten minutes."""
    return Timeline(
        time_ns=np.array(times, dtype=np.int64) * MINUTES_10,
        entity=np.array(entities or [0] * len(times), dtype=np.intp),
        names=("A", "B", "C", "D"),
        cadence_ns=MINUTES_10,
    )


def wave(rho: float, n: int, seed: int, columns: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((n, columns)) * np.sqrt(1 - rho**2)
    values = np.empty_like(noise)
    values[0] = noise[0] / np.sqrt(1 - rho**2)
    for row in range(1, n):
        values[row] = rho * values[row - 1] + noise[row]
    return values


def test_a_timeline_reads_time_and_entity_from_a_frame() -> None:
    columns = Columns(cadence="10min", entity="machine", features={"x": Feature(unit="1")})
    frame = pd.DataFrame(
        {
            "timestamp": pd.to_datetime(["2024-01-01T00:00Z", "2024-01-02T00:10Z"]),
            "machine": ["B", "A"],
        }
    )

    timeline = timeline_from(frame, columns)

    assert [timeline.names[code] for code in timeline.entity] == ["B", "A"]
    assert timeline.days == 2
    assert timeline.cadence_ns == MINUTES_10


@dataclass(frozen=True)
class OfMachine:
    start: pd.Timestamp
    end: pd.Timestamp
    entity: str | None


def test_the_rows_of_a_span_are_those_of_its_machine_with_both_ends() -> None:
    timeline = ticks([4, 1, 2, 3, 2, 3], [0, 0, 0, 0, 1, 1])
    second, third = (pd.Timestamp(tick * MINUTES_10, tz="UTC") for tick in (2, 3))

    found = rows_within(timeline, [OfMachine(second, third, of) for of in ("A", None, "gone")])

    assert [sorted(rows.tolist()) for rows in found] == [[2, 3], [2, 3, 4, 5], []]


def test_a_run_ends_at_a_gap_and_at_another_entity() -> None:
    timeline = ticks([0, 1, 3, 4, 5, 0], [0, 0, 0, 0, 1, 1])

    order, run = runs(timeline)

    assert order.tolist() == [0, 1, 2, 3, 5, 4]
    assert run.tolist() == [0, 0, 1, 1, 2, 3]


def test_episodes_join_marked_rows_across_the_allowed_gap_only() -> None:
    timeline = ticks([0, 1, 2, 3, 4, 5, 6, 7])
    marked = np.array([1, 0, 1, 0, 0, 0, 1, 1], dtype=bool)

    apart = [len(e.rows) for e in episodes(marked, timeline)]
    joined = [len(e.rows) for e in episodes(marked, timeline, join_rows=1)]

    assert apart == [1, 1, 2]
    assert joined == [2, 2]


@given(st.permutations(range(8)))
def test_the_order_of_rows_does_not_change_the_episodes(order: list[int]) -> None:
    timeline = ticks([0, 1, 2, 5, 0, 1, 2, 3], [0, 0, 0, 0, 1, 1, 1, 1])
    marked = np.array([1, 1, 0, 1, 0, 1, 1, 0], dtype=bool)
    shuffled = Timeline(
        timeline.time_ns[order], timeline.entity[order], timeline.names, timeline.cadence_ns
    )

    spans = [(e.entity, e.start, e.end) for e in episodes(marked[order], shuffled)]

    assert spans == [(e.entity, e.start, e.end) for e in episodes(marked, timeline)]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_autocorrelation_of_a_wave_is_recovered(rho: float) -> None:
    values = wave(rho, 20_000, seed=1)[:, 0]

    assert autocorrelation(values, ticks(list(range(20_000)))) == pytest.approx(rho, abs=0.03)


def test_rows_too_far_apart_have_no_neighbours_to_correlate_with() -> None:
    values = wave(0.9, 500, seed=2)[:, 0]

    assert autocorrelation(values, ticks([20 * i for i in range(500)])) == 0


def test_entities_that_move_together_correlate_by_one() -> None:
    common = np.repeat(np.random.default_rng(3).standard_normal(1000), 4)
    timeline = ticks([i // 4 for i in range(4000)], [i % 4 for i in range(4000)])

    assert between_entities(common, timeline) == pytest.approx(1.0)


def test_thinning_keeps_every_kth_row_and_does_not_thin_twice() -> None:
    step = thinning_step(0.5)
    timeline = ticks(list(range(12)))

    kept = spaced(timeline, step)
    again = spaced(ticks([int(i) for i in kept]), step)

    assert step == 3
    assert kept.tolist() == [0, 3, 6, 9]
    assert len(again) == len(kept)

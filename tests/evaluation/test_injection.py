from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.config import Columns, Feature, PeerDeviation
from pipeline.data.channels import channels, read, write
from pipeline.data.timeline import Timeline
from pipeline.detector.calibration.contexts import ContextFactors
from pipeline.detector.calibration.postprocessing import ScorePostprocessing, postprocess
from pipeline.detector.inputs.scored import Rows, Scorer, WindowScores
from pipeline.evaluation.faults import FAULTS
from pipeline.evaluation.injection import (
    FaultOutcome,
    Trial,
    at_largest,
    faulty_episodes,
    inject,
    minimum_detectable,
    recall,
)

COLUMNS = Columns(
    cadence="10min",
    entity="machine",
    features={
        "power": Feature(unit="kW"),
        "yaw": Feature(unit="deg", circular=True),
        "speed": Feature(unit="m/s"),
    },
    derived=(PeerDeviation(kind="peer_deviation", of=("power",)),),
)
N = 2000
RANDOM = np.random.default_rng(11)


def rows() -> Rows:
    power = RANDOM.normal(500, 100, N)
    angle = RANDOM.normal(0, 0.5, N)
    return np.column_stack(
        [power, np.sin(angle), np.cos(angle), RANDOM.normal(8, 2, N), RANDOM.normal(0, 10, N)]
    ).astype(np.float32)


ROWS = rows()
MEAN, SD = ROWS.mean(axis=0), ROWS.std(axis=0)


def distance(windows: Rows) -> WindowScores:
    z = (windows - np.tile(MEAN, windows.shape[1] // 5)) / np.tile(SD, windows.shape[1] // 5)
    return WindowScores(score=np.abs(z).max(axis=1), error=z**2)


def trial(**changes: object) -> Trial:
    settings: dict[str, object] = {
        "scorer": distance,
        "threshold": 5.0,
        "rows": ROWS,
        "timeline": Timeline(
            np.arange(N) * 600_000_000_000, np.zeros(N, dtype=np.intp), ("A",), 600_000_000_000
        ),
        "columns": COLUMNS,
        "window": 1,
        "seed": 0,
    }
    return Trial(**(settings | changes))


def test_what_is_added_to_a_channel_is_added_to_its_deviation_from_peers() -> None:
    power = channels(COLUMNS)[0]
    struck = ROWS[:4].copy()

    write(power, struck, read(power, struck) + 100)

    assert np.allclose((struck - ROWS[:4])[:, [0, 4]], 100, atol=1e-3)
    assert np.array_equal(struck[:, 1:4], ROWS[:4, 1:4])


def test_a_turned_angle_stays_on_the_unit_circle() -> None:
    yaw = channels(COLUMNS)[1]
    struck = ROWS[:50].copy()

    write(yaw, struck, read(yaw, struck) + 2.0)

    assert np.allclose(np.hypot(struck[:, 1], struck[:, 2]), 1, atol=1e-6)


def test_every_kind_of_fault_is_tried_at_every_size() -> None:
    outcomes = inject(trial())

    tried = {(o.kind, o.size) for o in outcomes}

    assert tried == {(kind, size) for kind, fault in FAULTS.items() for size in fault.sizes}


def test_larger_spikes_are_caught_more_often_and_the_smallest_visible_size_is_found() -> None:
    spikes = recall(inject(trial()))["spike"]

    assert spikes[1.0] < 0.4  # one of three channels has a sensitive deviation from peers
    assert spikes[12.0] > 0.6
    assert minimum_detectable(inject(trial()), share=0.5)["spike"] in (3.0, 4.0, 6.0)


def test_a_detector_that_flags_everything_catches_nothing() -> None:
    outcomes = inject(trial(threshold=-1.0))

    assert sum(o.caught for o in outcomes) == 0


def test_the_same_seed_plants_the_same_faults() -> None:
    assert inject(trial(seed=4)) == inject(trial(seed=4))


def test_windows_reach_back_before_the_fault() -> None:
    outcomes = inject(trial(window=6))

    assert at_largest(outcomes)["drift"] > 0.6


def test_rows_too_scattered_for_an_episode_leave_nothing_to_judge() -> None:
    apart = Timeline(
        np.arange(N) * 6_000_000_000_000, np.zeros(N, dtype=np.intp), ("A",), 600_000_000_000
    )

    assert inject(trial(timeline=apart)) == ()


def test_a_size_counts_as_detectable_only_if_every_larger_one_is() -> None:
    outcomes = tuple(
        FaultOutcome("spike", size, "sd", "power", "+" * caught + "-" * (10 - caught))
        for size, caught in [(1.0, 9), (2.0, 2), (3.0, 6), (4.0, 8)]
    )

    assert minimum_detectable(outcomes, share=0.5) == {"spike": 3.0}


def test_a_fault_never_caught_has_no_detectable_size() -> None:
    outcomes = (FaultOutcome("stuck", 6.0, "rows", "power", "-" * 10),)

    assert minimum_detectable(outcomes, share=0.5) == {"stuck": None}


@pytest.mark.parametrize("kind", ["stuck", "swap", "dropout"])
def test_a_fault_that_changes_nothing_does_not_count_against_the_detector(kind: str) -> None:
    calm = ROWS.copy()
    calm[:, [0, 3, 4]] = 0

    outcomes = [o for o in inject(trial(rows=calm)) if o.kind == kind]

    assert all(o.channel == "yaw" for o in outcomes)


def test_a_fault_neither_fills_nor_makes_a_missing_value() -> None:
    gappy = ROWS.copy()
    gappy[np.random.default_rng(3).random(N) < 0.2, 3] = np.nan
    seen: list[Rows] = []

    def scorer(windows: Rows) -> WindowScores:
        seen.append(windows)
        return distance(np.where(np.isnan(windows), MEAN, windows))

    outcomes = inject(trial(rows=gappy, scorer=scorer))

    share = np.isnan(np.concatenate(seen)).mean(axis=0)
    assert share[[0, 1, 2, 4]].tolist() == [0, 0, 0, 0]
    assert 0.15 < share[3] < 0.25
    assert {(found.kind, found.channel) for found in outcomes} >= {
        (kind, "speed") for kind in FAULTS if kind != "stuck"
    }
    spikes = [f for f in outcomes if (f.kind, f.size, f.channel) == ("spike", 12.0, "speed")]
    assert spikes[0].caught == spikes[0].episodes > 0


def test_a_smoothing_detector_gets_the_rows_before_the_fault() -> None:
    threshold = float(np.quantile(distance(ROWS).score, 0.999))
    timeline = trial().timeline
    smoothed = postprocess(
        distance(ROWS).score, distance(ROWS).error, ROWS, timeline, ScorePostprocessing(rows=4)
    ).score

    alone = recall(inject(trial(threshold=threshold)))
    over_four = recall(
        inject(
            trial(
                threshold=float(np.quantile(smoothed, 0.999)),
                postprocessing=ScorePostprocessing(rows=4),
            )
        )
    )

    assert over_four["drift"][4.0] > alone["drift"][4.0] + 0.2


def test_an_episode_keeps_the_context_of_the_machine_it_was_made_on() -> None:
    quiet = ContextFactors("entity", None, {"A": 0.01})
    other = ContextFactors("entity", None, {"B": 0.01})

    lowered, plain = (
        recall(
            inject(trial(postprocessing=ScorePostprocessing(contexts=contexts), threshold=600.0))
        )
        for contexts in (quiet, other)
    )

    assert lowered["spike"][12.0] > 0.3
    assert plain["spike"][12.0] == 0


def test_an_episode_is_smoothed_over_its_own_rows_and_no_other() -> None:
    asked = trial(postprocessing=ScorePostprocessing(rows=4), threshold=3.0, episodes=5)

    struck = list(faulty_episodes(asked))

    assert any(one.after.any() and not one.after.all() for one in struck)
    for one in struck:
        score = np.stack([distance(episode).score for episode in one.rows]).astype(np.float64)
        mean = sliding_window_view(score, 4, axis=1).mean(axis=2)
        assert np.array_equal(one.after, mean > asked.threshold)


def test_an_outcome_counts_the_episodes_that_the_fault_changed() -> None:
    outcome = FaultOutcome("dropout", 1.0, "", "power", "+-.+.")

    assert (outcome.episodes, outcome.caught) == (3, 2)


def test_windows_of_another_length_get_the_same_episodes_with_the_same_lead() -> None:
    seen: dict[int, list[Rows]] = {1: [], 6: []}

    def watched(window: int) -> Scorer:
        def scorer(windows: Rows) -> WindowScores:
            seen[window].append(windows[:, -5:])
            return distance(windows)

        return scorer

    outcomes = [
        inject(trial(window=window, least_lead=5, scorer=watched(window))) for window in (1, 6)
    ]

    assert [len(o.marks) for o in outcomes[0]] == [len(o.marks) for o in outcomes[1]]
    short, long = ({row.tobytes() for row in np.concatenate(seen[n])} for n in (1, 6))
    assert long <= short


def test_lead_rows_are_no_part_of_the_episode() -> None:
    asked = trial(least_lead=7, threshold=3.0)

    assert all(one.after.shape[1] == one.rows.shape[1] - 7 for one in faulty_episodes(asked))

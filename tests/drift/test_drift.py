from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.signal import lfilter

from pipeline.config import Columns, Drift, Feature
from pipeline.data.timeline import Timeline
from pipeline.drift import DriftVerdict, Sample, judge_drift
from pipeline.drift.result import from_rows, to_rows
from pipeline.drift.verdict import entity_apart
from pipeline.evaluation.rate import RealisedRate
from pipeline.records import from_json, to_json

CADENCE = 600_000_000_000
NAMES = [f"f{i}" for i in range(20)]
COLUMNS = Columns(
    cadence="10min", entity="machine", features={name: Feature(unit="1") for name in NAMES}
)
LIMITS = Drift()
HONEST = RealisedRate(1000, 1000, 10, 0.01, (0.005, 0.02), (0.005, 0.02), (0.003, 0.02), "inside")


def wave(rho: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(shape) * np.sqrt(1 - rho**2)
    noise[0] /= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=0)


def sample(
    n: int, *, seed: int, rho: float = 0.0, start: int = 0, machines: int = 1, alike: bool = False
) -> Sample:
    """Normal rows of `machines` machines; `alike`: all see the same weather."""
    rng = np.random.default_rng(seed)
    steps = n // machines
    values = [wave(rho, (steps, len(NAMES) + 1), rng) for _ in range(machines)]
    if alike:
        values = [values[0] + 0.1 * own for own in values]
    joined = np.concatenate(values)
    timeline = Timeline(
        np.tile((start + np.arange(steps)) * CADENCE, machines),
        np.repeat(np.arange(machines), steps),
        tuple("ABCDEFGH"[:machines]),
        CADENCE,
    )
    return Sample(
        timeline, joined[:, 1:].astype(np.float32), np.exp(joined[:, 0]).astype(np.float32)
    )


def moved(normal: Sample, *, score: float = 0, features: dict[int, float] | None = None) -> Sample:
    """The sample with the log-score and some features shifted, in standard deviations."""
    values = normal.features.copy()
    for place, shift in (features or {}).items():
        values[:, place] += shift
    return replace(normal, features=values, score=(normal.score * np.exp(score)).astype("f4"))


def verdict(reference: Sample, current: Sample, **more: object) -> DriftVerdict:
    return judge_drift(reference, current, columns=COLUMNS, limits=LIMITS, **more)


@pytest.mark.parametrize(("rho", "machines"), [(0.0, 1), (0.9, 1), (0.9, 4)])
def test_without_drift_there_is_no_alarm_however_slow_the_waves(rho: float, machines: int) -> None:
    alarms = 0
    for seed in range(40):
        normal = sample(8000, seed=seed, rho=rho, machines=machines, alike=machines > 1)
        later = sample(8000, seed=1000 + seed, rho=rho, machines=machines, alike=machines > 1)
        found = verdict(normal, later)
        alarms += found.action != "none" or bool(found.at("warn", "alarm"))

    assert alarms <= 2


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_half_a_sigma_in_the_score_is_found(rho: float) -> None:
    for seed in range(10):
        normal = sample(5000, seed=seed, rho=rho)
        later = moved(sample(5000, seed=100 + seed, rho=rho), score=0.6)

        assert "score" in verdict(normal, later).at("alarm")


def test_a_twentieth_of_a_sigma_is_ignored_even_in_fifty_thousand_rows() -> None:
    for seed in range(5):
        later = moved(sample(50_000, seed=100 + seed), score=0.05, features={3: 0.05})

        assert verdict(sample(50_000, seed=seed), later).at("warn", "alarm") == ()


def test_a_quarter_sigma_warns_first_and_alarms_when_it_stays() -> None:
    normal, later = sample(5000, seed=1), moved(sample(5000, seed=2), score=0.35)

    first = verdict(normal, later)
    second = verdict(normal, later, previous=first)

    assert first.at("warn") == ("score",)
    assert (first.kind, second.kind) == ("none", "degradation")


def test_twenty_features_do_not_raise_twenty_times_the_alarms() -> None:
    few_rows = 120  # so few that the effect floor does not help and only the correction does
    alarms = sum(
        bool(
            verdict(sample(few_rows, seed=seed), sample(few_rows, seed=500 + seed)).at(
                "warn", "alarm"
            )
        )
        for seed in range(60)
    )

    assert alarms <= 3


def test_q_values_follow_benjamini_and_hochberg() -> None:
    found = verdict(sample(500, seed=1), moved(sample(500, seed=2), features={0: 0.4, 1: 0.4}))
    p = np.sort([r.p for r in found.results])
    q = np.sort([r.q for r in found.results])

    stepped = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]

    assert q == pytest.approx(np.minimum(stepped, 1))


def test_too_few_effective_rows_are_reported_and_not_called_quiet() -> None:
    found = verdict(sample(5000, seed=1), sample(400, seed=2, rho=0.95))

    assert "score" in found.at("no power")
    assert "longer window" in found.reason


def test_a_thinned_reference_is_not_thinned_again() -> None:
    full = sample(5000, seed=1, rho=0.9)
    kept = np.arange(0, 5000, 20)
    thin = Sample(
        Timeline(full.timeline.time_ns[kept], full.timeline.entity[kept], ("A",), CADENCE),
        full.features[kept],
        full.score[kept],
    )

    assert verdict(thin, sample(5000, seed=2)).results[0].rows_reference == 250


def test_features_that_move_while_the_score_holds_are_watched() -> None:
    found = verdict(
        sample(5000, seed=1), moved(sample(5000, seed=2), features={4: 0.8}), rate=HONEST
    )

    assert (found.kind, found.action) == ("input drift", "watch")
    assert "f4" in found.reason


def test_a_score_that_rises_with_the_features_asks_for_retraining() -> None:
    later = moved(sample(5000, seed=2), score=1.0, features=dict.fromkeys(range(6), 1.0))

    found = verdict(sample(5000, seed=1), later)

    assert (found.kind, found.action) == ("model stale", "retrain")


def test_a_score_that_falls_asks_for_a_new_threshold() -> None:
    found = verdict(sample(5000, seed=1), moved(sample(5000, seed=2), score=-0.8))

    assert (found.kind, found.action) == ("threshold stale", "recalibrate")


def test_a_score_that_rises_alone_asks_a_person_to_look() -> None:
    found = verdict(sample(5000, seed=1), moved(sample(5000, seed=2), score=0.8))

    assert (found.kind, found.action) == ("degradation", "look")


def test_a_flag_rate_outside_its_band_is_believed_where_ks_is_blind() -> None:
    high = replace(HONEST, rate=0.03, verdict="above")

    found = verdict(sample(5000, seed=1), sample(5000, seed=2), rate=high)

    assert found.kind == "degradation"
    assert "3.00%" in found.reason


def test_a_flag_rate_below_its_band_asks_for_a_new_threshold() -> None:
    low = replace(HONEST, rate=0.0, verdict="below")

    assert verdict(sample(5000, seed=1), sample(5000, seed=2), rate=low).kind == "threshold stale"


def test_a_flag_rate_far_beyond_its_band_is_for_a_person_to_look_at() -> None:
    absurd = replace(HONEST, rate=0.4, verdict="above")

    assert verdict(sample(5000, seed=1), sample(5000, seed=2), rate=absurd).kind == "degradation"


def test_one_frozen_channel_of_one_machine_is_a_data_fault_by_name() -> None:
    later = sample(8000, seed=2, machines=4)
    later.features[later.timeline.entity == 2, 7] = 0.3

    found = verdict(sample(8000, seed=1, machines=4), later)

    assert (found.kind, found.action) == ("data fault", "quarantine")
    assert found.reason.startswith("f7 of C is frozen")


def test_a_channel_that_left_its_range_is_a_data_fault_even_when_the_score_followed() -> None:
    later = moved(sample(5000, seed=2), score=2.0, features={7: 50.0})

    found = verdict(sample(5000, seed=1), later)

    assert found.kind == "data fault"
    assert "f7 of A is outside its reference range" in found.reason


def test_what_every_machine_shows_alike_is_weather_and_no_fault() -> None:
    later = moved(sample(8000, seed=2, machines=4), features={7: 50.0})

    assert verdict(sample(8000, seed=1, machines=4), later).kind == "input drift"


def test_many_broken_channels_at_once_are_another_regime() -> None:
    later = moved(sample(5000, seed=2), score=2.0, features=dict.fromkeys(range(8), 50.0))

    assert verdict(sample(5000, seed=1), later).kind == "model stale"


def test_a_verdict_survives_json() -> None:
    found = verdict(sample(500, seed=1), moved(sample(500, seed=2), score=1, features={2: 9.0}))

    assert from_json(DriftVerdict, json.loads(json.dumps(to_json(found)))) == found


def test_weather_that_lasts_longer_than_a_gust_is_no_news_either() -> None:
    alarms = 0
    for seed in range(20):
        pair = []
        for part in range(2):
            weather = sample(6000, seed=10 * seed + part, rho=0.99)
            gusts = sample(6000, seed=10 * seed + 5 + part)
            score = (weather.score * gusts.score).astype("f4")
            pair.append(replace(weather, features=weather.features + gusts.features, score=score))
        alarms += bool(verdict(*pair).at("warn", "alarm"))

    assert alarms <= 1


def test_a_muted_feature_and_the_scores_without_it_say_nothing() -> None:
    later = moved(sample(5000, seed=2), score=2.0, features={7: 1.5})
    muted = np.zeros(later.features.shape, dtype=bool)
    muted[:, 7] = True

    found = verdict(sample(5000, seed=1), replace(later, muted=muted))

    assert found.kind == "not judged"
    assert found.reason.startswith("The score was not judged.")
    assert set(found.at("no power")) == {"score", "f7"}


def test_a_muted_fault_does_not_hide_that_the_model_is_stale() -> None:
    later = moved(sample(5000, seed=2), score=1.0, features={7: 50.0, 3: 1.0, 4: 1.0, 5: 1.0})
    alone = moved(sample(5000, seed=2), score=1.0, features={7: 50.0, 3: 1.0, 4: 1.0})
    muted = np.zeros(later.features.shape, dtype=bool)
    muted[:3000, 7] = True

    known = verdict(sample(5000, seed=1), replace(later, muted=muted))
    fresh = verdict(sample(5000, seed=1), alone)

    assert (known.kind, fresh.kind) == ("model stale", "data fault")


def test_many_channels_that_moved_are_a_regime_although_one_left_its_range() -> None:
    later = moved(sample(5000, seed=2), score=2.0, features={7: 50.0, 3: 1.0, 4: 1.0, 5: 1.0})

    assert verdict(sample(5000, seed=1), later).kind == "model stale"


@pytest.mark.parametrize("count", [1, 2])
def test_a_few_channels_that_moved_with_the_score_ask_for_no_training(count: int) -> None:
    later = moved(sample(5000, seed=2), score=1.0, features=dict.fromkeys(range(count), 1.0))

    assert verdict(sample(5000, seed=1), later).kind == "degradation"


def test_a_channel_at_one_value_for_half_of_the_rows_is_frozen_unless_it_used_to_rest() -> None:
    kinds = []
    for rests in (False, True):
        normal, later = sample(5000, seed=1), sample(5000, seed=2)
        if rests:
            normal.features[::4, 7] = 0.3
        later.features[:2500, 7] = 0.3
        kinds.append(verdict(normal, later).kind)

    assert kinds[0] == "data fault"
    assert kinds[1] != "data fault"


def test_a_channel_that_rests_by_nature_is_not_called_frozen() -> None:
    features = {name: Feature(unit="1", may_be_constant=name == "f7") for name in NAMES}
    columns = COLUMNS.model_copy(update={"features": features})
    later = sample(8000, seed=2, machines=4)
    later.features[later.timeline.entity == 2, 7] = 0.3

    found = judge_drift(sample(8000, seed=1, machines=4), later, columns=columns, limits=LIMITS)

    assert found.broken == ()


def test_no_season_of_the_weather_is_a_broken_sensor_but_another_unit_is() -> None:
    features = {name: Feature(unit="1", context=name == "f7") for name in NAMES}
    columns = COLUMNS.model_copy(update={"features": features})
    normal = sample(5000, seed=1)

    def broken(shift: float) -> bool:
        later = moved(sample(5000, seed=2), features={7: shift})
        return bool(judge_drift(normal, later, columns=columns, limits=LIMITS).broken)

    assert [broken(5.0), broken(15.0)] == [False, True]


def test_one_machine_of_four_that_is_flagged_alone_is_set_apart() -> None:
    timeline = sample(4000, seed=1, machines=4).timeline
    alone, all_of_them = timeline.entity == 2, np.ones(4000, dtype=bool)

    assert entity_apart(alone, timeline) == "C"
    assert entity_apart(all_of_them, timeline) is None
    assert entity_apart(np.zeros(4000, dtype=bool), timeline) is None


def test_a_verdict_survives_the_table() -> None:
    later = moved(sample(500, seed=2), score=1, features={2: 90.0})
    found = verdict(sample(500, seed=1), later, rate=HONEST)

    rows = to_rows(found, day=date(2024, 1, 1), source="day", version=3)

    assert from_rows(rows[::-1], NAMES) == found

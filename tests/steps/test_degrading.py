"""The case of a slow degradation: what opens it, extends it and closes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import settings
from pipeline.cases import Case, SeenDegradation
from pipeline.data.derive import derive
from pipeline.data.timeline import timeline_from
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.calibration.kept_rows import Reference
from pipeline.detector.inputs.frames import feature_values
from pipeline.recalibration import STATUSES, Anchor, Recalibrated, Stop
from pipeline.recalibration.degradation import Degradation, FrozenLevel
from pipeline.scoring import score_rows
from pipeline.steps import degrading, drifting, training_request
from pipeline.store.cases import cases_after, state_degradation
from pipeline.store.drift import drift_state
from pipeline.utc_day import ONE_DAY
from tests.builders import ESTIMATE, FIRST_DAY, PUMPS, days, make_frame
from tests.steps.pump_house import PumpHouse
from tests.steps.test_drifting import hold

DAY = date(2024, 6, 1)
QUIET = Recalibrated(
    threshold=ESTIMATE,
    anchor=Anchor(1.0, 1.0, date(2024, 1, 31), moved=date(2024, 1, 31)),
    day=DAY,
    days=30,
    status=np.zeros(0, dtype=np.int8),
    weight=np.zeros(0),
    counts=dict.fromkeys(STATUSES, 0),
    held=(),
    longest_normal=4,
    level=1.0,
    step=0.0,
    total=0.0,
    growth=0.0,
    degradation=None,
    raised="",
    stops=(),
    stale="",
)
GROWN = Degradation(date(2024, 4, 2), DAY, FrozenLevel(3.0, 0.13), 0.24, ("b",))
WEEK = days(7)
NEXT = WEEK[-1] + ONE_DAY


def put_on_record(house: PumpHouse, result: Recalibrated) -> None:
    degrading.put_on_record(house.here, house.spec, result, house.live["champion"])


def judge(house: PumpHouse, wanted: Sequence[date], **how: Any) -> dict[str, Any]:
    names = [day.isoformat() for day in wanted]
    return dict(drifting.judge_days(house.here, "pumps", names, run="test", **how))


def cases(house: PumpHouse, day: date = date.max) -> tuple[Case, ...]:
    return cases_after(house.here, "pumps", day)


def worn(
    frame: pd.DataFrame, size: float, *, pumps: Sequence[str] = ("b",), channel: str = "pressure"
) -> pd.DataFrame:
    """`frame` with noise in a channel of some pumps: its values stay where they were."""
    noise = np.random.default_rng(5).normal(0, size, len(frame)) * frame["pump"].isin(pumps)
    return frame.assign(**{channel: frame[channel] + noise})


def worn_days(house: PumpHouse) -> None:
    """Rows of a week in which the pressure of pumps a and b is worn."""
    hold(house, worn(make_frame(7), 0.2, pumps=("a", "b")))


def test_without_growth_there_is_no_case(house: PumpHouse) -> None:
    put_on_record(house, QUIET)

    assert cases(house, DAY) == ()


def test_growth_opens_a_case_with_its_start_and_machines(house: PumpHouse) -> None:
    put_on_record(house, replace(QUIET, degradation=GROWN))

    (case,) = cases(house, DAY)
    assert (case.kind, case.machines) == ("degradation", ("b",))
    assert case.start.date() == date(2024, 4, 2)
    assert "24.0% of the rows lie above a score that at most 13.0%" in case.why


def test_growth_names_the_channel_that_has_grown_in_the_last_days(house: PumpHouse) -> None:
    rows = worn(make_frame(21), 8.0, channel="flow")
    last = rows["timestamp"].dt.date > FIRST_DAY + timedelta(days=13)
    hold(house, pd.concat([rows[~last], worn(make_frame(21), 0.3)[last]]))
    grown = replace(GROWN, since=FIRST_DAY)

    put_on_record(house, replace(QUIET, day=days(21)[-1], degradation=grown))

    (case,) = cases(house)
    assert case.channels == ("pressure",)
    assert case.why.endswith("Most of it: pressure of b.")


def test_growth_of_fewer_days_is_seen_on_these_alone(house: PumpHouse) -> None:
    rows = worn(make_frame(7), 8.0, channel="flow")
    last = rows["timestamp"].dt.date >= WEEK[4]
    hold(house, pd.concat([rows[~last], worn(make_frame(7), 0.3)[last]]))

    put_on_record(house, replace(QUIET, day=WEEK[-1], degradation=replace(GROWN, since=WEEK[4])))

    assert cases(house)[0].channels == ("pressure",)


def test_a_raise_that_a_bound_has_stopped_is_a_case_with_the_reason_of_the_bound(
    house: PumpHouse,
) -> None:
    stop = Stop("creep", 0.19, 0.15, "Ordinary scores have grown.")
    put_on_record(house, replace(QUIET, stops=(stop,)))

    (case,) = cases(house, DAY)
    assert (case.kind, case.why) == ("degradation", "Ordinary scores have grown.")


def test_a_fall_that_a_bound_has_stopped_is_no_growth(house: PumpHouse) -> None:
    stop = Stop("step", -0.4, 0.2, "The threshold moved -40%.")
    put_on_record(house, replace(QUIET, stops=(stop,)))

    assert cases(house, DAY) == ()


def test_a_told_raise_is_not_back_where_the_next_one_was_stopped(house: PumpHouse) -> None:
    put_on_record(house, replace(QUIET, raised="It has risen by 17%."))
    stop = Stop("step", 0.58, 0.2, "The threshold moved +58%.")
    put_on_record(
        house, replace(QUIET, day=date(2024, 7, 1), raised="It has risen by 58%.", stops=(stop,))
    )

    assert len(cases(house)) == 1


def test_where_a_person_has_accepted_the_growth_the_case_stays_on_record(house: PumpHouse) -> None:
    put_on_record(house, replace(QUIET, degradation=GROWN))
    degrading.put_on_record(
        house.here, house.spec, QUIET, house.live["champion"], growth_accepted=True
    )

    assert [case.kind for case in cases(house)] == ["degradation"]


def test_a_raise_below_certainty_is_a_case_and_ends_when_the_threshold_is_back(
    house: PumpHouse,
) -> None:
    raised = "The threshold has risen by 17% since 2024-01-31."
    put_on_record(house, replace(QUIET, raised=raised))
    (case,) = cases(house, DAY)

    put_on_record(house, replace(QUIET, day=date(2024, 7, 1)))

    assert case.why == raised
    assert cases(house, date(2024, 7, 1)) == ()


def test_a_week_of_growth_opens_the_case_with_its_channel_and_machines(house: PumpHouse) -> None:
    worn_days(house)

    week = judge(house, WEEK)["week"]

    assert (week["kind"], week["action"]) == ("degradation", "look")
    (case,) = cases(house)
    assert (case.machines, case.channels) == (("a", "b"), ("pressure",))
    assert (case.start.date(), case.last_row.date()) == (WEEK[0], WEEK[-1])
    assert case.why == week["reason"]


def test_a_week_of_growth_asks_for_no_threshold_and_no_training(house: PumpHouse) -> None:
    worn_days(house)
    judge(house, WEEK)

    asked = training_request.ask_once(
        settings.load(), "pumps", WEEK[-1].isoformat(), run="r", now=pd.Timestamp.now("UTC")
    )

    assert cases(house) != ()
    assert asked is None


def test_the_next_week_extends_the_case(house: PumpHouse) -> None:
    worn_days(house)
    judge(house, WEEK)
    (before,) = cases(house, WEEK[-1])

    hold(house, worn(make_frame(1, first_day=NEXT), 0.2, pumps=("a", "b")))
    judge(house, [NEXT])

    (after,) = cases(house)
    assert (after.id, after.start) == (before.id, before.start)
    assert after.last_row.date() == NEXT


def test_a_quiet_week_opens_no_case(house: PumpHouse) -> None:
    hold(house, make_frame(7))
    judge(house, WEEK)

    assert cases(house) == ()


def test_a_backfill_opens_no_case(house: PumpHouse) -> None:
    worn_days(house)

    assert judge(house, WEEK, history=True)["week"]["kind"] == "degradation"
    assert cases(house) == ()


def test_an_older_week_that_is_judged_again_reopens_nothing(house: PumpHouse) -> None:
    worn_days(house)
    hold(house, make_frame(1, first_day=NEXT))
    judge(house, [NEXT], history=True)

    assert judge(house, WEEK)["week"]["kind"] == "degradation"
    assert cases(house) == ()


def test_a_version_whose_data_include_the_week_opens_no_case(
    house: PumpHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    worn_days(house)
    monkeypatch.setattr(degrading, "knows_until", lambda _: NEXT)

    judge(house, WEEK)

    assert cases(house) == ()


def test_growth_that_the_reference_has_absorbed_is_a_case_until_it_is_accepted(
    house: PumpHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = recalibrated(house)
    absorbed = reference_of(house, bundle, worn(make_frame(10, seed=4), 0.3, pumps=PUMPS))
    hold(house, worn(make_frame(7), 0.3, pumps=PUMPS))
    monkeypatch.setattr(Bundle, "reference", lambda _: absorbed)
    still = judge(house, WEEK)["week"]
    monkeypatch.setattr(Bundle, "accepted_reference", lambda _: absorbed)

    accepted = judge(house, WEEK)["week"]

    assert still["reason"].startswith("the score stayed")
    assert still["kind"] == "degradation"
    assert cases(house)[0].channels == ("pressure",)
    assert (accepted["kind"], accepted["action"]) == ("none", "none")


def recalibrated(house: PumpHouse) -> Bundle:
    """The live bundle, its threshold four times as high."""
    live = house.live["champion"]
    known = live.bundle.description
    threshold = replace(known.threshold, value=4 * known.threshold.value)
    bundle = replace(live.bundle, description=replace(known, threshold=threshold))
    house.live["champion"] = replace(live, bundle=bundle)
    return bundle


def reference_of(house: PumpHouse, bundle: Bundle, frame: pd.DataFrame) -> Reference:
    """These rows as the reference of a recalibration."""
    rows = derive(frame, house.spec.columns)
    scored = score_rows(bundle, rows).score.astype(np.float32)
    timeline = timeline_from(rows, house.spec.columns)
    return Reference(feature_values(rows, bundle.schema), scored, timeline)


def test_a_recalibration_closes_no_case_that_the_week_still_shows(house: PumpHouse) -> None:
    worn_days(house)
    judge(house, WEEK)

    put_on_record(house, replace(QUIET, day=WEEK[-1]))

    assert len(cases(house)) == 1


def test_a_recalibration_closes_the_case_once_the_week_is_quiet(house: PumpHouse) -> None:
    said = SeenDegradation(FIRST_DAY, (), (), "Scores rose.")
    hold(house, make_frame(7))
    state_degradation(house.here, "pumps", said)
    judge(house, WEEK)
    state = drift_state(house.here, house.spec, WEEK[-1])
    before = cases(house)

    put_on_record(house, replace(QUIET, day=WEEK[-1]))

    assert state is not None
    assert len(before) == 1
    assert cases(house) == ()

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import settings
from pipeline.data.derive import derive
from pipeline.data.label import Label
from pipeline.scoring import score_rows
from pipeline.steps import drifting
from pipeline.store.drift import drift_state, replace_verdicts, verdicts_between
from pipeline.store.labels import add_labels
from pipeline.store.telemetry import telemetry_table
from pipeline.tables import Table, append, current_version, replace_days
from pipeline.tables.schemas import SCHEMAS
from tests.builders import FIRST_DAY, days, make_frame, moment
from tests.steps.pump_house import PumpHouse


def hold(house: PumpHouse, frame: pd.DataFrame) -> None:
    """Let `telemetry` hold the rows of `frame` on the days that it has rows of."""
    rows = derive(frame, house.spec.columns)
    table = telemetry_table(rows, house.spec.columns)
    held = sorted(set(table["date"].to_pylist()))
    replace_days(Table(house.here.storage, "pumps", "telemetry"), held, table, metadata={})


def judge(house: PumpHouse, *wanted: date) -> dict[str, Any]:
    return drifting.judge_days(
        settings.load(), house.spec.name, [day.isoformat() for day in wanted], run="test"
    )


def stored(house: PumpHouse) -> list[str]:
    rows = house.rows("drift").astype(str).to_dict("records")
    return sorted(str(sorted(row.items())) for row in rows)


def kinds(house: PumpHouse, source: str) -> dict[date, str]:
    rows = house.rows("drift")
    rows = rows[(rows["feature"] == "score") & (rows["source"] == source)]
    return dict(zip(rows["date"], rows["verdict"], strict=True))


def hot(frame: pd.DataFrame, *, by: float) -> pd.DataFrame:
    """The same rows with another law between flow and pressure."""
    return frame.assign(pressure=frame["pressure"] + by)


def usual_scores(house: PumpHouse, n_days: int) -> Any:
    """The live version's scores of quiet days."""
    rows = derive(make_frame(n_days), house.spec.columns)
    return score_rows(house.live["champion"].bundle, rows).score


def test_a_quiet_week_is_judged_quiet_and_names_the_version_asked(house):
    hold(house, make_frame(8))

    result = judge(house, *days(8))

    assert (result["week"]["kind"], result["week"]["action"]) == ("none", "none")
    assert set(house.rows("drift")["version"]) == {1}


def test_a_plant_that_follows_another_law_is_for_a_person_to_look_at(house):
    hold(house, hot(make_frame(7), by=2.0))

    result = judge(house, *days(7))

    assert result["week"]["kind"] == "degradation"
    assert result["week"]["action"] == "look"
    assert "% of rows are flagged" in result["week"]["reason"]


def test_any_order_of_days_leaves_the_same_table(house):
    wanted = days(10)
    frame = make_frame(10)
    by_day = dict(list(frame.groupby(frame["timestamp"].dt.date)))
    hold(house, frame)
    judge(house, *wanted)
    in_bulk = stored(house)
    shuffled = [wanted[place] for place in np.random.default_rng(3).permutation(len(wanted))]
    replace_days(
        Table(house.here.storage, "pumps", "telemetry"),
        wanted,
        telemetry_table(None, house.spec.columns),
        metadata={},
    )
    judge(house, *wanted)
    emptied = stored(house)

    for day in shuffled:
        hold(house, by_day[day])
        judge(house, day)

    assert emptied == []
    assert stored(house) == in_bulk


def test_nothing_after_the_day_is_read(house):
    hold(house, make_frame(7))
    judge(house, *days(7))
    before = stored(house)

    hold(house, hot(make_frame(5, first_day=FIRST_DAY + timedelta(days=7)), by=5.0))
    judge(house, *days(7))

    first_week = [row for row in stored(house) if "2024, 1, 8" not in row]
    assert set(before) <= set(first_week)
    assert kinds(house, "week")[FIRST_DAY + timedelta(days=6)] == "none"


def test_late_rows_of_one_day_redo_the_weeks_that_hold_it(house):
    frame = make_frame(14)
    late = frame["timestamp"].dt.date == FIRST_DAY + timedelta(days=4)
    hold(house, frame[~late])
    judge(house, *days(14))
    before = house.rows("drift")

    hold(house, hot(frame[late], by=9.0))
    judge(house, FIRST_DAY + timedelta(days=4))

    changed = _changed(before, house.rows("drift"))
    assert changed == {
        *((day, "week") for day in days(7, first_day=FIRST_DAY + timedelta(days=4))),
        (FIRST_DAY + timedelta(days=4), "day"),
    }


def test_a_week_with_rows_on_less_than_half_of_its_days_has_no_verdict(house):
    hold(house, make_frame(3))

    judge(house, *days(3))

    assert set(kinds(house, "day")) == set(days(3))
    assert kinds(house, "week") == {}


def test_judging_again_writes_nothing(house):
    hold(house, make_frame(7))
    judge(house, *days(7))
    table = Table(house.here.storage, "pumps", "drift")
    version = current_version(table)

    result = judge(house, *days(7))

    assert result["changed"] == 0
    assert current_version(table) == version


def test_rows_that_somebody_labelled_an_incident_by_then_are_no_evidence(house):
    frame = make_frame(7)
    faulty = frame["timestamp"].dt.day.isin([3, 4, 5])
    hold(house, frame.assign(pressure=frame["pressure"] + 3 * faulty))
    judge(house, *days(7))
    blamed = kinds(house, "week")[FIRST_DAY + timedelta(days=6)]
    third, fourth, fifth = (FIRST_DAY + timedelta(days=number) for number in (2, 3, 4))

    made = moment(fifth, 12) + _DAY
    known = [_incident(day, made=made) for day in (third, fourth, fifth)]
    add_labels(house.here, "pumps", known)
    judge(house, *days(7))

    quiet = ("none", "not judged")
    assert blamed not in quiet
    assert kinds(house, "week")[FIRST_DAY + timedelta(days=6)] in quiet
    assert kinds(house, "day")[fifth] not in quiet, "nobody knew at the end of that day"


def test_a_score_without_a_muted_channel_is_no_evidence_but_its_sensor_is_reported(house):
    frame = hot(make_frame(7), by=40.0)
    frame["pressure"] = frame["pressure"].where(frame["pump"] == "a", frame["pressure"] - 40.0)
    hold(house, frame)
    usual = usual_scores(house, 7)
    _serve(house, frame, usual, muted=np.where(frame["pump"] == "a", "pressure", ""))

    result = judge(house, *days(7))

    assert result["day"]["kind"] == "data fault"
    assert (
        "pressure of a is outside its reference range in 100% of its rows (muted)"
        in (result["day"]["reason"])
    )


def test_scores_of_another_version_are_not_used_as_those_of_the_live_one(house):
    frame = make_frame(7)
    hold(house, frame)
    _serve(house, frame, 1e6 * usual_scores(house, 7), version=7)

    assert judge(house, *days(7))["week"]["kind"] == "none"


def test_one_pump_that_fails_alone_is_an_incident_and_no_drift(house):
    frame = make_frame(7)
    hold(house, frame)
    _serve(house, frame, usual_scores(house, 7) * np.where(frame["pump"] == "b", 1e3, 1))

    week = judge(house, *days(7))["week"]

    assert week["kind"] == "not judged"
    assert "Without b, the only one that is flagged" in week["reason"]


def test_verdicts_of_candidates_on_the_same_day_stay(house):
    hold(house, make_frame(1))
    row = dict.fromkeys(SCHEMAS["drift"].names)
    append(
        Table(house.here.storage, "pumps", "drift"),
        [row | {"date": FIRST_DAY, "source": "candidate-1", "feature": "score"}],
    )

    judge(house, FIRST_DAY)
    judge(house, FIRST_DAY)

    assert (house.rows("drift")["source"] == "candidate-1").sum() == 1


def test_a_run_that_another_one_overtakes_judges_again(house, monkeypatch):
    hold(house, make_frame(2))
    overtaken = []

    def overtake(*args: Any, **more: Any) -> int:
        if not overtaken:
            overtaken.append(True)
            judge(house, FIRST_DAY)
        return replace_verdicts(*args, **more)

    judge(house, FIRST_DAY + timedelta(days=1))  # so that the table is there
    monkeypatch.setattr(drifting, "replace_verdicts", overtake)
    result = judge(house, FIRST_DAY)

    assert result["changed"] == 0
    assert set(kinds(house, "day")) == set(days(2))


def test_without_a_champion_nothing_is_judged(house):
    house.live.clear()

    assert "no champion" in judge(house, FIRST_DAY)["skipped"]


class TestStanding:
    """Two warnings in a row are an alarm when the verdict is read, and only then."""

    @pytest.fixture
    def warned(self, house) -> Any:
        """Lets the week of a day warn about the score."""

        def warn(day: date, *, version: int = 1) -> None:
            hold(house, make_frame(1, first_day=day))
            judge(house, day)
            base = verdicts_between(house.here, house.spec, day, day)[day, "day"][1]
            results = (_at(base.results[0], "warn"), *base.results[1:])
            verdict = type(base)("none", "none", "made up", results, ())
            replace_verdicts(
                house.here,
                house.spec,
                {(day, "week"): verdict},
                version=version,
                based_on=current_version(Table(house.here.storage, "pumps", "drift")),
                run="test",
            )

        return warn

    def state_on(self, house: PumpHouse, day: date) -> Any:
        return drift_state(house.here, house.spec, day)

    def test_a_first_warning_is_none(self, house, warned):
        warned(FIRST_DAY)

        assert self.state_on(house, FIRST_DAY).ruling.level == "warn"

    def test_a_warning_a_week_later_is_an_alarm_with_its_action(self, house, warned):
        later = FIRST_DAY + timedelta(days=7)
        warned(FIRST_DAY)
        warned(later)

        ruling = self.state_on(house, later).ruling

        assert (ruling.kind, ruling.action, ruling.level) == (
            "degradation",
            "look",
            "alarm",
        )

    def test_a_week_that_shares_days_with_the_first_is_no_second_warning(self, house, warned):
        warned(FIRST_DAY)
        warned(FIRST_DAY + timedelta(days=1))

        assert self.state_on(house, FIRST_DAY + timedelta(days=1)).ruling.kind == "none"

    def test_a_warning_about_another_version_does_not_count(self, house, warned):
        warned(FIRST_DAY, version=9)
        warned(FIRST_DAY + timedelta(days=7))

        assert self.state_on(house, FIRST_DAY + timedelta(days=7)).ruling.kind == "none"

    def test_the_newest_day_up_to_the_requested_one_counts(self, house):
        hold(house, make_frame(3))
        judge(house, *days(3))

        assert self.state_on(house, FIRST_DAY + timedelta(days=1)).day == days(2)[1]
        assert self.state_on(house, FIRST_DAY + timedelta(days=9)).day == days(3)[2]
        assert self.state_on(house, FIRST_DAY - timedelta(days=1)) is None


_DAY = timedelta(days=1)


def _at(result: Any, level: str) -> Any:
    return type(result)(**{**vars(result), "level": level, "rises": True})


def _incident(day: date, *, made: datetime) -> Label:
    return Label(moment(day), moment(day, 23), None, "incident", "", "erik", made.astimezone(UTC))


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> set[tuple[date, str]]:
    def content(rows: pd.DataFrame) -> dict[tuple[date, str], str]:
        return {
            key: str(same.sort_values("feature").astype(str).to_dict("records"))
            for key, same in rows.groupby(["date", "source"])
        }

    old, new = content(before), content(after)
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _serve(
    house: PumpHouse, frame: pd.DataFrame, score: Any, *, muted: Any = "", version: int = 1
) -> None:
    """Rows of `frame` as version `version` served them."""
    rows = pd.DataFrame(
        {
            "date": frame["timestamp"].dt.date,
            "timestamp": frame["timestamp"],
            "entity": frame["pump"],
            "role": "champion",
            "version": version,
            "score": score,
            "muted": muted,
        }
    )
    append(Table(house.here.storage, "pumps", "scores"), rows.to_dict("records"))

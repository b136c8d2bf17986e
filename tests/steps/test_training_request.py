from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import yaml

from pipeline import settings
from pipeline.drift import ACTIONS, DriftResult, DriftVerdict
from pipeline.steps import training_request, trusted_rows
from pipeline.store.drift import replace_verdicts
from pipeline.tables import Table, append, current_version
from pipeline.tables.schemas import SCHEMAS
from pipeline.utc_day import ONE_DAY
from tests.builders import FIRST_DAY, moment
from tests.steps.pump_house import PumpHouse

DAY = FIRST_DAY + timedelta(days=40)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def ruled(house: PumpHouse, kind: Any, *, day: date = DAY, version: int = 1, of: Any = "week"):
    """Let the table hold a verdict of `kind` for the week (or the day) that ends on `day`."""
    score = DriftResult("score", 0.4, 0.0, 0.0, 100, 100, rises=True, level="alarm")
    verdict = DriftVerdict(kind, ACTIONS[kind], "the score rose", (score,), ())
    replace_verdicts(
        house.here,
        house.spec,
        {(day, of): verdict},
        version=version,
        based_on=current_version(Table(house.here.storage, "pumps", "drift")),
        run="made up",
    )


def ask(action: Any, *, day: date = DAY, run: str = "run-1") -> dict[str, Any] | None:
    return training_request.ask(
        settings.load(), "pumps", day.isoformat(), action=action, run=run, now=NOW
    )


@pytest.mark.parametrize(
    ("kind", "action"), [("model stale", "retrain"), ("threshold stale", "recalibrate")]
)
def test_a_stale_week_asks_for_its_own_action_and_for_no_other(house, kind, action):
    ruled(house, kind)
    other = {"retrain": "recalibrate", "recalibrate": "retrain"}[action]

    assert ask(other) is None
    assert ask(action) == {
        "action": action,
        "detector": "pumps",
        "day": "2024-02-10",
        "as_of": "2024-02-11",
        "reason": f"{kind}: the score rose",
    }


@pytest.mark.parametrize("kind", ["none", "input drift", "data fault", "degradation"])
def test_other_verdicts_ask_for_nothing(house, kind):
    ruled(house, kind)

    assert ask("retrain") is None
    assert ask("recalibrate") is None


def test_a_single_day_asks_for_nothing(house):
    ruled(house, "model stale", of="day")

    assert ask("retrain") is None


def test_yesterdays_verdict_is_not_asked_with_again(house):
    ruled(house, "model stale", day=DAY - timedelta(days=1))

    assert ask("retrain") is None


@pytest.mark.parametrize(("after", "asks"), [(1, False), (13, False), (14, True)])
def test_it_asks_once_in_the_cool_down_however_the_days_come(house, after, asks):
    later = DAY + timedelta(days=after)
    ruled(house, "model stale")
    ruled(house, "model stale", day=later)
    ask("retrain")

    assert (ask("retrain", day=later, run="run-2") is not None) == asks


def test_a_day_that_comes_late_does_not_ask_beside_a_later_one(house):
    ruled(house, "model stale")
    ruled(house, "model stale", day=DAY - timedelta(days=3))
    ask("retrain")

    assert ask("retrain", day=DAY - timedelta(days=3), run="run-2") is None


def test_the_two_actions_have_a_cool_down_each(house):
    later = DAY + timedelta(days=2)
    ruled(house, "model stale")
    ruled(house, "threshold stale", day=later)
    ask("retrain")

    assert ask("recalibrate", day=later, run="run-2") is not None


def test_a_run_that_is_repeated_gets_its_answer_again_and_asks_once(house):
    ruled(house, "model stale")

    assert ask("retrain") == ask("retrain")
    assert len(house.rows("requests")) == 1
    assert ask("retrain", run="another run of the same day") is None


def test_a_live_version_that_knows_the_day_already_is_answer_enough(house, monkeypatch):
    ruled(house, "model stale")
    monkeypatch.setattr(training_request, "knows_until", lambda _: DAY + timedelta(days=1))

    assert ask("retrain") is None


def test_a_verdict_about_another_version_than_the_live_one_is_void(house):
    ruled(house, "model stale", version=8)

    assert ask("retrain") is None


def test_a_new_regime_asks_for_training_before_the_week_notices(house):
    incident(house, "new regime")

    asked = ask("retrain")

    assert asked is not None
    assert asked["reason"].startswith("new regime: many channels of b")


def test_a_new_regime_is_not_hidden_behind_a_new_threshold(house):
    ruled(house, "threshold stale")
    incident(house, "new regime")

    assert ask("recalibrate") is None


@pytest.mark.parametrize(
    "what", [{"kind": "anomaly"}, {"status": "withdrawn"}, {"version": 9}, {"day": FIRST_DAY}]
)
def test_other_incidents_ask_for_nothing(house, what):
    incident(house, **{"kind": "new regime", **what})

    assert ask("retrain") is None


def test_without_a_champion_nothing_is_asked(house):
    ruled(house, "model stale")
    house.live.clear()

    assert ask("retrain") is None


def incident(
    house: PumpHouse, kind: str, *, status: str = "raised", version: int = 1, day: date = DAY
) -> None:
    row = dict.fromkeys(SCHEMAS["incidents"].names) | {
        "date": day,
        "kind": kind,
        "status": status,
        "entity": "b",
        "start": moment(day, 3),
        "end": moment(day, 9),
        "version": version,
    }
    append(Table(house.here.storage, "pumps", "incidents"), [row])


@pytest.mark.parametrize(("day", "asks"), [(12, False), (14, True), (20, True)])
def test_a_provisional_threshold_asks_to_be_estimated_anew_once_there_are_new_rows(
    house, monkeypatch, day, asks
):
    provisional(house, monkeypatch)
    asked = ask("recalibrate", day=FIRST_DAY + timedelta(days=day))

    assert bool(asked) == asks
    if asked:
        assert "version 1 is provisional: its threshold rests on" in asked["reason"]


def test_a_provisional_threshold_asks_weekly(house, monkeypatch):
    provisional(house, monkeypatch)

    assert ask("recalibrate") is not None
    assert ask("recalibrate", day=DAY + timedelta(days=6), run="run-2") is None
    assert ask("recalibrate", day=DAY + timedelta(days=7), run="run-3") is not None


def test_a_provisional_threshold_of_unknown_days_asks_for_nothing(house):
    more_rows_needed(house)

    assert ask("recalibrate") is None


def provisional(house: PumpHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live version, trained until the first day, rests on too few rows."""
    monkeypatch.setattr(trusted_rows, "trained_until", lambda _bundle: FIRST_DAY - ONE_DAY)
    more_rows_needed(house)


def more_rows_needed(house: PumpHouse) -> None:
    """Let the detector file ask for more independent rows than any threshold rests on."""
    path = house.here.detectors / "pumps.yaml"
    content = yaml.safe_load(path.read_text())
    content["gate"] = {**content.get("gate", {}), "minimum_calibration_rows": 10**6}
    path.write_text(yaml.safe_dump(content))

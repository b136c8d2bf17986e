import json
import shlex
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import yaml

from pipeline import settings, tables
from pipeline.cli import main, status
from pipeline.ledger import Decision
from pipeline.registry import connection
from pipeline.scheduler import Dag
from pipeline.steps import health, promotion_watch, trust
from pipeline.store.cases import cases_after, settle_cases
from pipeline.store.ingestions import Attempt, record
from pipeline.tables import Table
from tests import ledger_entries
from tests.builders import make_spec, moment, stored_in
from tests.cases.made import FIRST, FLOW, facts, shift, stretch
from tests.steps.asked import put_incident
from tests.steps.fake_registry import FakeRegistry
from tests.steps.flagged_days import put_flags, put_threshold

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


class Plant:
    """Two expected days of the pump farm, of which the older is scored."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.days = [YESTERDAY - timedelta(days=1), YESTERDAY]
        self.end(self.days[0], "validated")
        self.score(self.days[0])

    def end(self, day: date, verdict: str) -> None:
        accepted = 72 if verdict == "validated" else 0
        at = datetime.now(UTC) - timedelta(hours=1)
        attempt = Attempt(day, at, "r", verdict, verdict, "half came", accepted=accepted)
        record(stored_in(self.root), "pumps", [attempt])

    def score(self, day: date) -> None:
        row = {"date": day, "scored_at": datetime.now(UTC), "verdict": "scored", "reason": ""}
        tables.append(Table(self.root, "pumps", "scorings"), [row])
        shared = {"date": day, "role": "champion", "entity": "a", "score": 1.0}
        rows = [
            {**shared, "flag": hour == 3, "muted": "flow" if hour == 5 else ""}
            for hour in range(24)
        ]
        tables.append(Table(self.root, "pumps", "scores"), rows)


@pytest.fixture
def registry() -> FakeRegistry:
    """Versions 1 and 2; the second is live."""
    made = FakeRegistry(versions=2)
    made.aliases["champion"] = 2
    return made


@pytest.fixture
def plant(tmp_path, monkeypatch, registry) -> Plant:
    for variable in ("STORAGE", "DETECTORS", "CACHE"):
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(tmp_path))
    monkeypatch.setenv("PLIMSOLL_AIRFLOW_COMMAND", "airflow")
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    made = Plant(settings.load().storage)
    spec = make_spec(schedule={"start": str(made.days[0])})
    content = spec.model_dump(mode="json", by_alias=True)
    (tmp_path / "pumps.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(health, "connect", lambda _: registry)
    monkeypatch.setattr(trust, "opened", lambda *_: None)  # this registry holds no bundles
    went_live = Decision("promotion", "pumps", 2, None, "ada", "", "m1", "", NOW)
    ledger_entries.write(settings.load(), went_live)
    row = {"date": made.days[0], "version": 2, "threshold": 1.5, "threshold_low": 1.2}
    tables.append(Table(made.root, "pumps", "thresholds"), [row])
    return made


NOW = datetime.now(UTC).isoformat()


def run_status(capsys, *arguments: str) -> SimpleNamespace:
    code = main(["status", *arguments])
    return SimpleNamespace(code=code, text=capsys.readouterr().out)


def test_one_screen_shows_the_health_of_a_detector(plant, capsys):
    plant.end(YESTERDAY, "quarantined")

    answer = run_status(capsys)

    assert answer.code == 0
    assert "pumps: healthy" in answer.text
    assert f"last scored {plant.days[0]}" in answer.text
    assert "version 2, trained, threshold 1.5 (1.2 to unbounded)" in answer.text
    assert "4.17% of rows in 7 days" in answer.text
    assert "flow on a" in answer.text
    assert "2 expected: 1 scored, 1 quarantined; none skipped" in answer.text
    assert len(answer.text.splitlines()) < 24


def test_the_oldest_open_case_is_shown_with_the_command_that_answers_it(plant, capsys):
    assert "cases       none open" in run_status(capsys).text
    day = plant.days[0]
    number = (day - FIRST).days
    out = facts(
        shift(stretch(number, 3, 23)), shift(stretch(number, 9, 23), channel="heat"),
        ranges=(FLOW, replace(FLOW, channel="heat")),
    )  # fmt: skip
    settle_cases(settings.load(), "pumps", {day: out})
    oldest = cases_after(settings.load(), "pumps", day)[0]

    text = run_status(capsys).text

    assert "cases       2 open; the oldest:" in text
    assert f"{oldest.id}  a since {day} 03:00  shift: flow stays outside its training" in text
    (command,) = [line for line in text.splitlines() if f"cases pumps --answer {oldest.id}" in line]
    words = shlex.split(command)
    assert main(words[words.index("pipeline") + 1 :]) == 0
    capsys.readouterr()
    (found,) = json.loads(run_status(capsys, "--json").text)
    assert [each["channels"] for each in found["open_cases"]] == [["heat"]]


def test_the_approval_of_a_recalibration_waits_in_its_own_dag(tmp_path, plant, capsys, registry):
    content = yaml.safe_load((tmp_path / "pumps.yaml").read_text())
    content["promotion"] = content.get("promotion", {}) | {"approval": "human"}
    (tmp_path / "pumps.yaml").write_text(yaml.safe_dump(content))
    plant.end(YESTERDAY, "quarantined")
    registry.aliases["challenger"] = 1
    registry.tags[1]["kind"] = "recalibrated"

    assert "Required Actions of pumps__recalibrate in Airflow" in run_status(capsys).text


@pytest.mark.usefixtures("plant")
def test_a_day_that_was_skipped_in_silence_is_named_and_exits_with_1(capsys):
    answer = run_status(capsys, "pumps")

    assert answer.code == 1
    assert "NOT HEALTHY" in answer.text
    assert f"{YESTERDAY}  missing" in answer.text
    assert f"next        ingest {YESTERDAY}" in answer.text


def test_a_failed_day_exits_with_1(plant):
    plant.end(YESTERDAY, "failed")

    assert main(["status", "pumps"]) == 1


def test_the_proof_lists_every_day(plant, capsys):
    plant.end(YESTERDAY, "quarantined")

    text = run_status(capsys, "--proof").text

    assert f"{plant.days[0]}  scored" in text
    assert f"{YESTERDAY}  quarantined  half came" in text


@pytest.mark.usefixtures("plant")
def test_machines_read_the_same_as_json(capsys):
    (found,) = json.loads(run_status(capsys, "--json", "--proof").text)

    assert found["days"] == {"scored": 1, "missing": 1}
    assert found["healthy"] is False
    assert [each["day"] for each in found["violations"]] == [str(YESTERDAY)]
    assert found["next"]["command"].startswith("airflow dags trigger pumps__load")
    assert len(found["partitions"]) == 2


@pytest.mark.usefixtures("plant")
def test_a_detector_that_does_not_exist_is_an_error_with_2(capsys):
    assert main(["status", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


@pytest.mark.usefixtures("plant")
def test_a_name_that_would_steer_the_terminal_is_shown_as_text(capsys):
    odd = "\x1b[2Jpump\n  last scored 2099-01-01"
    put_incident(settings.load(), moment(YESTERDAY - timedelta(days=1), 3), entity=odd)

    main(["status", "pumps"])

    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert not any(line.startswith("  last scored 2099") for line in shown.splitlines())
    assert r"\x1b[2Jpump\n  last scored 2099-01-01" in shown


@pytest.mark.usefixtures("plant")
def test_a_wrong_file_does_not_hide_the_other_detectors(tmp_path, capsys):
    (tmp_path / "broken.yaml").write_text("name: [")
    (tmp_path / "old.yaml").mkdir()
    (tmp_path / ".#pumps.yaml").symlink_to("user@host.1234")

    shown, for_machines = run_status(capsys), run_status(capsys, "--json")

    assert shown.code == for_machines.code == 1
    for text in (
        "pumps: NOT HEALTHY",
        "broken: NOT HEALTHY",
        "is not valid YAML",
        "old: NOT HEALTHY",
    ):
        assert text in shown.text
    assert [each["detector"] for each in json.loads(for_machines.text)] == [
        "pumps",
        "broken",
        "old",
    ]


def test_tables_without_a_detector_file_are_shown_with_their_open_incidents(plant, capsys):
    plant.end(YESTERDAY, "quarantined")
    at = datetime.now(UTC)
    incident = {"date": YESTERDAY, "status": "raised", "start": at, "end": at, "entity": "a"}
    tables.append(Table(plant.root, "old", "incidents"), [incident])

    answer = run_status(capsys)

    assert answer.code == 0
    assert "old: no detector file" in answer.text
    assert "tables      incidents; 1 incidents without a label" in answer.text
    assert "-m pipeline remove old" in answer.text
    assert "old:" not in run_status(capsys, "pumps").text


def test_a_day_outside_the_schedule_is_shown_separately_and_harms_nothing(plant, capsys):
    plant.end(YESTERDAY, "quarantined")
    plant.end(YESTERDAY.replace(year=2020), "empty")

    answer = run_status(capsys)

    assert answer.code == 0
    assert "2 expected: 1 scored, 1 quarantined; none skipped" in answer.text
    assert "1 outside the schedule, not expected:" in answer.text
    assert f"{YESTERDAY.replace(year=2020)} (empty: half came)" in answer.text


@pytest.mark.parametrize(
    ("dags", "line"),
    [
        ([], "it has no DAG of this detector yet"),
        ([Dag("pumps__score", paused=False)], "every DAG is active"),
        (
            [Dag("pumps__train", paused=True, waiting=1), Dag("pumps__ingest", paused=True)],
            (
                "paused: ingest, train, until you unpause them; the others are active; "
                "runs that wait for that: 1 of train"
            ),
        ),
        ([Dag("pumps__rollback", paused=True)], "paused: rollback"),
        ([Dag("pumps_2__rollback", paused=True)], "it has no DAG of this detector yet"),
    ],
    ids=["none", "active", "waiting", "promised", "another's"],
)
def test_runs_that_wait_in_airflow_are_shown(plant, capsys, monkeypatch, dags, line):
    plant.end(YESTERDAY, "quarantined")
    monkeypatch.setattr(status, "_dags", lambda _: dags)

    assert f"  Airflow     {line}\n" in run_status(capsys).text


def test_a_wrong_file_does_not_hide_the_others(plant, capsys, tmp_path):
    plant.end(YESTERDAY, "quarantined")
    (tmp_path / "broken.yaml").write_text("name: broken\ncolour: red\n")

    answer = run_status(capsys)

    assert answer.code == 1
    assert "pumps: healthy" in answer.text
    assert "broken: NOT HEALTHY\n" in answer.text
    assert "colour" in answer.text
    assert run_status(capsys, "pumps").code == 0
    assert main(["status", "broken"]) == 2
    printed = json.loads(run_status(capsys, "--json").text)
    assert [each["healthy"] for each in printed] == [True, False]


def break_threshold(plant, *, window_last: date, version: int = 2) -> None:
    """More than half of the rows of the newest scored day are flagged; version 2 is live."""
    here = settings.load()
    put_threshold(here, "pumps", version=version, window_last=window_last)
    put_flags(here, "pumps", [plant.days[0] - timedelta(days=n) for n in range(1, 16)], 0.0)
    put_flags(here, "pumps", plant.days[:1], 0.6, version=version)


def test_a_threshold_that_does_not_hold_is_not_healthy_and_comes_first(plant, capsys):
    break_threshold(plant, window_last=YESTERDAY - timedelta(days=90))
    plant.end(YESTERDAY, "quarantined")

    answer = run_status(capsys)

    assert answer.code == 1
    assert "pumps: NOT HEALTHY" in answer.text
    assert f"threshold   DOES NOT HOLD since {plant.days[0]} 00:00 UTC:" in answer.text
    assert "because of  channels that carry the flags: power 100%" in answer.text
    todo = answer.text.partition("  next  ")[2].split("\n")
    assert todo[0].strip().startswith("look at what the flagged rows show, and label it")
    assert todo[1].strip().endswith("label pumps --list")


def test_for_machines_it_has_its_cause_and_the_same_action(plant, capsys):
    break_threshold(plant, window_last=YESTERDAY - timedelta(days=90))

    (record,) = json.loads(run_status(capsys, "--json").text)

    assert not record["healthy"]
    assert record["broken"]["version"] == 2
    assert record["broken"]["channels"] == [["power", 1.0]]
    assert record["next"]["what"].startswith("look at what the flagged rows show")


def test_a_fresh_version_that_the_watch_wants_back_is_rolled_back_first(plant, capsys, monkeypatch):
    said = {"tripped": True, "reason": "Version 2 left its limits.", "version": 2, "previous": 1}
    asked = []

    def watched(_, *detector_and_day, **run):
        asked.append((*detector_and_day, *run))
        return said

    monkeypatch.setattr(promotion_watch, "watch", watched)
    break_threshold(plant, window_last=plant.days[0] - timedelta(days=1))

    answer = run_status(capsys)

    assert asked == [("pumps", plant.days[0].isoformat(), "run")]
    assert "roll version 2 back: Version 2 left its limits" in answer.text
    assert "pumps__rollback" in answer.text


@pytest.mark.usefixtures("plant")
def test_a_threshold_that_holds_is_not_mentioned(capsys):
    put_threshold(settings.load(), "pumps", version=2)

    assert "DOES NOT HOLD" not in run_status(capsys).text

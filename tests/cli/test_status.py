import json
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import yaml

from pipeline import settings, tables
from pipeline.cli import main
from pipeline.data.attempts import Attempt, record
from pipeline.registry import connection
from pipeline.steps.oversight import health
from pipeline.tables import Table
from tests.builders import make_spec, moment
from tests.steps.asked import put_incident
from tests.steps.fake_registry import FakeRegistry

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
        record([attempt], self.root, "pumps")

    def score(self, day: date) -> None:
        line = {"date": day, "scored_at": datetime.now(UTC), "verdict": "scored", "reason": ""}
        tables.append(Table(self.root, "pumps", "scorings"), [line])
        shared = {"date": day, "role": "champion", "entity": "a", "score": 1.0}
        rows = [
            {**shared, "flag": hour == 3, "muted": "flow" if hour == 5 else ""}
            for hour in range(24)
        ]
        tables.append(Table(self.root, "pumps", "scores"), rows)


@pytest.fixture
def plant(tmp_path, monkeypatch) -> Plant:
    for variable in ("STORAGE", "DETECTORS", "CACHE"):
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(tmp_path))
    monkeypatch.setenv("PLIMSOLL_AIRFLOW_COMMAND", "airflow")
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    made = Plant(settings.load().storage)
    spec = make_spec(schedule={"start": str(made.days[0])})
    content = spec.model_dump(mode="json", by_alias=True)
    (tmp_path / "pumps.yaml").write_text(yaml.safe_dump(content))
    registry = FakeRegistry(versions=2)
    registry.aliases["champion"] = 2
    monkeypatch.setattr(health, "connect", lambda _: registry)
    line = {"date": made.days[0], "version": 2, "threshold": 1.5, "threshold_low": 1.2}
    tables.append(Table(made.root, "pumps", "thresholds"), [line])
    return made


def told(capsys, *arguments: str) -> SimpleNamespace:
    code = main(["status", *arguments])
    return SimpleNamespace(code=code, text=capsys.readouterr().out)


def test_one_screen_tells_how_a_detector_is_doing(plant, capsys):
    plant.end(YESTERDAY, "quarantined")

    answer = told(capsys)

    assert answer.code == 0
    assert "pumps: healthy" in answer.text
    assert f"last scored {plant.days[0]}" in answer.text
    assert "version 2, trained, threshold 1.5 (1.2 to unbounded)" in answer.text
    assert "4.17% of rows in 7 days" in answer.text
    assert "flow on a" in answer.text
    assert "2 expected: 1 scored, 1 quarantined; none skipped" in answer.text
    assert len(answer.text.splitlines()) < 24


@pytest.mark.usefixtures("plant")
def test_a_day_that_was_skipped_in_silence_is_named_and_exits_with_1(capsys):
    answer = told(capsys, "pumps")

    assert answer.code == 1
    assert "NOT HEALTHY" in answer.text
    assert f"{YESTERDAY}  missing" in answer.text
    assert f"next        ingest {YESTERDAY}" in answer.text


def test_a_failed_day_exits_with_1(plant):
    plant.end(YESTERDAY, "failed")

    assert main(["status", "pumps"]) == 1


def test_the_proof_lists_every_day(plant, capsys):
    plant.end(YESTERDAY, "quarantined")

    text = told(capsys, "--proof").text

    assert f"{plant.days[0]}  scored" in text
    assert f"{YESTERDAY}  quarantined  half came" in text


@pytest.mark.usefixtures("plant")
def test_machines_read_the_same_as_json(capsys):
    (found,) = json.loads(told(capsys, "--json", "--proof").text)

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

    shown, for_machines = told(capsys), told(capsys, "--json")

    assert shown.code == for_machines.code == 1
    for text in ("pumps: NOT HEALTHY", "broken: NOT READ", "is not valid YAML", "old: NOT READ"):
        assert text in shown.text
    assert [each["detector"] for each in json.loads(for_machines.text)] == [
        "pumps",
        "broken",
        "old",
    ]

"""What the DAGs do, done from a shell: real tables, MLflow on SQLite, a real ledger."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
import structlog
import yaml

from pipeline import settings, tables
from pipeline.cli import main, run_days
from pipeline.errors import DataError
from pipeline.monitoring.broken_threshold import BrokenThreshold
from pipeline.registry import connection, versions
from pipeline.registry.connection import connect
from pipeline.steps import evaluating, ledger_state, promotion_watch, scoring, training_request
from pipeline.tables import Table
from tests.builders import days, make_frame, make_spec, moment

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

HISTORY = 60
ALL = days(HISTORY)
AS_OF = ALL[44]
BLOCKED, DAMAGED, ABSENT = ALL[3], ALL[4], ALL[2]
PUMPS_FILE = {"kind": "parquet", "path": "pumps.parquet"}
SMALL = {"family": "denoising", "members": 2, "width": 16, "steps": 120}


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Empty tables, a detector file and a source with sixty days."""
    for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE", "HOME"):
        folder = tmp_path / variable.lower()
        folder.mkdir()
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(folder))
    monkeypatch.delenv("PLIMSOLL_DATABASE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    # Evidently's page takes half a minute to import and is tested beside its code.
    monkeypatch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
    make_frame(HISTORY).to_parquet(tmp_path / "data" / "pumps.parquet")
    described(tmp_path)
    return settings.load()


def described(folder, approval="none", source=PUMPS_FILE, **sections):
    spec = make_spec(
        source=source,
        model=SMALL,
        split={"training_days": 40},
        recalibration={"window_days": 20, "minimum_days": 10},
        promotion={"approval": approval},
        schedule={"start": str(ALL[0]), "end": str(ALL[-1])},
        **sections,
    )
    content = spec.model_dump(mode="json", by_alias=True)
    (folder / "detectors" / "pumps.yaml").write_text(yaml.safe_dump(content))


def run(step: str, *more: str) -> int:
    return main(["run", step, "pumps", *more])


def load(first: int = 0, last: int = HISTORY - 1, *more: str) -> int:
    return run("load", "--from", str(ALL[first]), "--to", str(ALL[last]), *more)


def rows(plant, name: str):
    return tables.read(Table(plant.storage, "pumps", name), keep_date=True)


def answer(version: int, *more: str) -> int:
    return run("promote", "--version", str(version), *more)


def live(plant) -> int | None:
    standing = ledger_state.verified(plant, "pumps").live
    return standing.version if standing else None


def test_one_day_is_ingested_and_scored_by_itself(plant, capsys):
    assert run("ingest", "--day", str(ALL[0])) == 0
    assert run("score", "--day", str(ALL[0])) == 1

    said = capsys.readouterr().out
    assert "72 rows accepted, 0 rejected" in said
    assert "not scored. pumps has no champion yet" in said
    assert set(rows(plant, "telemetry")["date"]) == {ALL[0]}


def test_from_nothing_to_a_live_version_and_back(plant, tmp_path, capsys):
    assert load() == 0
    assert run("train", "--as-of", str(AS_OF)) == 0
    first = live(plant)
    assert load() == 0
    assert run("score", "--day", str(ALL[-1])) == 0
    assert run("recalibrate", "--as-of", str(ALL[-1] + timedelta(days=1))) == 0
    second = live(plant)
    assert main(["ledger", "pumps", "--at", datetime.now(UTC).isoformat()]) == 0
    assert run("rollback", "--reason", "a test of the way back", "--author", "ada") == 0
    assert run("housekeeping", "--dry-run") == 0

    assert (first, second, live(plant)) == (1, 2, 1)
    entries = ledger_state.verified(plant, "pumps").entries
    assert [entry.decision.action for entry in entries] == ["promotion", "promotion", "rollback"]
    assert re.fullmatch(r"ada in pumps__rollback/cli__[\dT:+-]+", entries[-1].decision.who)
    printed = capsys.readouterr()
    said = printed.out
    assert "versions would be removed: none" in said
    assert re.search(r"version 1 is kept: .*champion", said)
    assert not list((tmp_path / "work").iterdir())  # MLflow's files lie beside its database
    assert "Downloading artifacts" not in printed.err
    assert "version 1 is live, version 2 was taken back" in said
    assert f"threshold on rows of {ALL[44]} to {ALL[-1]}" in said
    assert "its weights are those of version 1" in said
    assert "no person was asked" in said
    assert f"{ALL[-1]}: drift of the day: " in said
    assert set(rows(plant, "scores")["date"]) == set(ALL)


@pytest.fixture
def trained(plant):
    """A plant with 45 days, of which version 1, which is live, was trained."""
    assert load(0, 44) == 0
    assert run("train", "--as-of", str(AS_OF)) == 0
    return plant


@pytest.fixture
def asking(plant, tmp_path, capsys):
    """A plant whose candidate has passed its gate and waits for a person."""
    described(tmp_path, approval="human")
    assert load(0, 44) == 0
    assert run("train", "--as-of", str(AS_OF)) == 1
    assert "A person must answer before it goes live" in capsys.readouterr().out
    return plant


def test_a_run_has_one_name_in_the_log_and_in_the_tables(plant, capsys):
    structlog.reset_defaults()  # other commands in this process have silenced it
    assert run("ingest", "--day", str(ALL[0])) == 0

    (name,) = rows(plant, "ingestions")["run_id"]
    assert re.fullmatch(r"pumps__ingest/cli__[\dT:+-]+", name)
    assert set(re.findall(r"run=(\S+)", capsys.readouterr().out)) == {name}


def test_mlflow_says_of_a_candidate_that_the_command_line_made_it(asking):
    version = versions.by_number(connect(asking), "pumps", 1)
    tags = connect(asking).get_run(version.run_id).data.tags

    assert tags["command_line.run"].startswith("pumps__train/cli__")
    assert tags["command_line.run"] == version.tags["judged_in"]
    assert tags["mlflow.user"] == "command line"
    assert "airflow.run" not in tags


def test_status_asks_for_the_answer_where_the_question_waits(asking, capsys):
    assert asking.storage

    main(["status", "pumps"])

    said = capsys.readouterr().out
    assert "-m pipeline run promote pumps --version 1 --approve\n" in said
    assert "Airflow" not in said


def test_a_candidate_waits_for_a_person_where_the_file_says_so(asking):
    (waiting,) = (asking.home / "waiting" / "pumps").iterdir()
    assert waiting.stat().st_mode & 0o777 == 0o600
    assert live(asking) is None

    assert answer(1, "--approve", "--author", "ada", "--comment", "looks right") == 0

    decision = ledger_state.verified(asking, "pumps").entries[-1].decision
    assert live(asking) == 1
    assert decision.who.startswith("ada in pumps__train/cli__")
    assert "looks right" in decision.why
    assert json.loads(decision.approval)["who"] == "ada"


def test_a_later_candidate_does_not_take_the_place_of_one_that_waits(asking, capsys):
    """Whoever read the card of version 1 approves version 1."""
    assert run("train", "--as-of", str(ALL[43])) == 1
    said = capsys.readouterr().out
    assert re.search("run promote pumps --version 2 --approve` or `.* --version 2 --reject`", said)
    assert "version 1 still waits, too" in said

    with pytest.raises(SystemExit):
        run("promote", "--approve")  # whose?
    assert answer(1, "--approve", "--author", "ada") == 0
    assert live(asking) == 1
    said = capsys.readouterr().out
    assert "version 2 is superseded" in said
    assert "run promote pumps --version 2 --reject`" in said

    assert answer(2, "--approve", "--author", "ada") == 2
    assert "was judged against champion none" in capsys.readouterr().err
    assert answer(2, "--reject", "--author", "ada") == 1
    assert live(asking) == 1
    assert not list((asking.home / "waiting" / "pumps").iterdir())


def test_a_candidate_that_is_judged_again_asks_once_about_its_new_card(asking, capsys):
    assert run("train", "--as-of", str(AS_OF)) == 1

    assert "version 1 was judged again: only its new card" in capsys.readouterr().out
    assert len(list((asking.home / "waiting" / "pumps").iterdir())) == 1
    assert answer(1, "--approve") == 0


def test_a_rejection_by_the_gate_is_told_once(plant, tmp_path, capsys):
    described(tmp_path, gate={"maximum_bundle_mb": 0.001})
    assert load(0, 44) == 0
    assert run("train", "--as-of", str(AS_OF)) == 1

    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("version 1 ")]
    assert said[0].startswith("version 1 was rejected: ")
    assert said[1:] == ["version 1 stays out"]
    assert live(plant) is None


def test_a_candidate_is_rejected_once_and_stays_out(asking, capsys):
    assert answer(1, "--reject", "--author", "bob") == 1
    assert answer(1, "--approve", "--author", "ada") == 2

    assert "Version 1 of pumps does not wait for an answer" in capsys.readouterr().err
    assert live(asking) is None
    assert ledger_state.verified(asking, "pumps").entries[-1].decision.action == "rejection"
    assert versions.by_number(connect(asking), "pumps", 1).tags["reason"].startswith("bob rejected")


def test_an_answer_that_comes_too_late_is_the_time_limits(asking):
    (waiting,) = (asking.home / "waiting" / "pumps").iterdir()
    question = json.loads(waiting.read_text())
    waiting.write_text(json.dumps(question | {"asked_at": "2026-01-01T00:00:00+00:00"}))

    assert answer(1, "--approve", "--author", "ada") == 1

    assert live(asking) is None
    assert "The time limit" in ledger_state.verified(asking, "pumps").entries[-1].decision.why


@pytest.fixture
def deliveries(plant, tmp_path):
    """A source with a file for each of six days, of which one is spoilt and one is absent."""
    described(tmp_path, source={"kind": "parquet", "path": "days/{date}.parquet"})
    folder = tmp_path / "data" / "days"
    folder.mkdir()
    frame = make_frame(6)
    frame.loc[frame["timestamp"].dt.date == BLOCKED, "pressure"] *= 1e9
    for day in set(ALL[:6]) - {ABSENT}:
        frame[frame["timestamp"].dt.date == day].to_parquet(folder / f"{day}.parquet")
    (folder / f"{DAMAGED}.parquet").write_bytes(b"damaged")
    return plant


def test_of_many_days_each_that_is_not_ingested_is_told_on_a_line(deliveries, capsys):
    assert load(0, 5) == 1

    said = capsys.readouterr().out
    assert f"\n{BLOCKED}: blocked: out of range pressure on all 3 machines" in said
    assert f"\n{DAMAGED}: failed: DataError: " in said
    assert f"\n{ABSENT}: empty: the source delivered nothing for this day\n" in said
    assert "\\n" not in said
    assert set(rows(deliveries, "telemetry")["date"]) == set(ALL[:6]) - {BLOCKED, DAMAGED, ABSENT}


@pytest.mark.parametrize(
    ("day", "code", "said"),
    [
        (ALL[0], 0, "72 rows accepted, 0 rejected"),
        (BLOCKED, 1, "blocked: out of range pressure on all 3 machines"),
        (DAMAGED, 1, "failed: DataError: "),
        (ABSENT, 0, "empty: the source delivered nothing for this day"),
        ("2024-13-01", 2, "error: "),
        ("2200-01-01", 2, "has not begun"),
    ],
    ids=["good", "blocked", "damaged", "absent", "no day", "future"],
)
@pytest.mark.usefixtures("deliveries")
def test_the_exit_code_says_what_became_of_an_ingested_day(capsys, day, code, said):
    assert run("ingest", "--day", str(day)) == code

    printed = capsys.readouterr()
    assert said in printed.out + printed.err


def test_a_scored_day_calls_for_what_the_score_dag_would_start(trained, monkeypatch, capsys):
    day = str(ALL[49])
    assert load(45, 49) == 0
    capsys.readouterr()
    reason = "model stale: the score rose."
    monkeypatch.setattr(
        training_request, "_reason", lambda *given: reason if given[-1] == "retrain" else ""
    )

    assert run("score", "--day", day) == 0
    said = capsys.readouterr().out
    assert f"drift asks to train: {reason} Do so with `" in said
    assert f"-m pipeline run train pumps --as-of {ALL[50]}`" in said
    (row,) = rows(trained, "requests").to_dict("records")
    assert (row["date"], row["action"], row["reason"]) == (ALL[49], "retrain", reason)
    assert row["run_id"].startswith("pumps__score/cli__")

    assert run("score", "--day", str(ALL[48])) == 0  # a day later or earlier asks for nothing more
    assert "drift asks" not in capsys.readouterr().out
    assert len(rows(trained, "requests")) == 1


def test_a_promotion_that_misbehaves_is_taken_back_once_and_asks_for_nothing(
    trained, monkeypatch, capsys
):
    assert load(45, 45) == 0
    tripped = {"tripped": True, "reason": "it floods", "version": 1, "previous": None}
    monkeypatch.setattr(promotion_watch, "watch", lambda *_, **__: tripped)
    monkeypatch.setattr(training_request, "ask_once", lambda *_, **__: 1 / 0)

    assert run("score", "--day", str(ALL[45])) == 1

    said = capsys.readouterr().out
    assert "run rollback pumps --reason 'it floods' --only-if-live 1`" in said
    assert run("rollback", "--reason", "it floods", "--only-if-live", "7") == 1
    assert "Version 7 was to be rolled back, but version 1 of pumps is live" in (
        capsys.readouterr().out
    )
    assert live(trained) == 1


def test_the_exit_code_says_what_became_of_a_day_to_be_scored(trained, monkeypatch, capsys):
    assert load(45, 46) == 0
    assert run("score", "--day", str(ALL[48])) == 1
    said = capsys.readouterr().out
    assert f"{ALL[48]}: not scored. Nothing was ingested yet; do so with `" in said
    assert f"run load pumps --from {ALL[48]} --to {ALL[48]}`" in said
    assert run("score", "--day", "yesterday") == 2

    def broken(_spec, _inputs, day):
        raise DataError(f"{day.day} has no numbers.")

    monkeypatch.setattr(scoring, "score_day", broken)
    assert run("score", "--day", str(ALL[45])) == 1
    assert load(45, 46, "--again") == 1
    assert f"{ALL[46]}: {ALL[46]} has no numbers." in capsys.readouterr().out
    assert set(rows(trained, "scorings")["verdict"]) == {"scored", "empty", "failed"}


def test_a_first_load_is_done_and_says_what_is_missing(plant, capsys):
    assert plant.storage
    assert load(0, 1) == 0
    assert load(0, 1, "--again") == 1

    said = capsys.readouterr().out
    assert "not scored. pumps has no champion yet; train one: `" in said
    assert "-m pipeline run train pumps`" in said


def test_to_go_beyond_the_bounds_needs_a_reason(plant, capsys):
    assert plant.storage

    assert run("recalibrate", "--accept-beyond-bounds") == 2
    assert "needs --reason" in capsys.readouterr().err


def test_a_threshold_that_does_not_hold_is_said_with_the_day(trained, monkeypatch, capsys):
    assert load(45, 45) == 0
    span = (moment(ALL[45], 6), moment(ALL[45], 18), 12)
    found = BrokenThreshold(1, *span, 0.4, 60, 7.0, 0.01, 0.2)
    monkeypatch.setattr(run_days, "broken_threshold", lambda *_, **__: found)

    run("score", "--day", str(ALL[45]))

    said = capsys.readouterr().out
    assert live(trained) == 1
    assert f"THE THRESHOLD DOES NOT HOLD since {ALL[45]} 06:00 UTC: 40.0% of 60 rows" in said
    assert "Because of: nothing that is known explains it. Do: look at what" in said

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.monitoring.broken_threshold import BrokenThreshold, KnownCauses
from pipeline.monitoring.day_status import PartitionState, State
from pipeline.monitoring.health import Health, LatestDrift, LedgerFault, LiveVersion
from pipeline.monitoring.next_action import NOTHING, NextAction
from pipeline.monitoring.next_action import next_action as asked_for
from pipeline.scheduler import Dag
from pipeline.shell import Shell
from tests.builders import FIRST_DAY, days
from tests.cases.made import case

WELL = Health(
    detector="pumps",
    last_scored=FIRST_DAY,
    live=LiveVersion(3, "trained", 1.0, 0.9, 1.2, ""),
    challenger=None,
    approval="none",
    budget=0.01,
    alert_rate={7: 0.01, 30: 0.01},
    open_incidents=0,
    newest=(),
    drift=None,
    labels_waiting=0,
    audits_waiting=0,
    muted=(),
    undecided=(),
    unfinished_rollback=(),
    partitions=tuple(PartitionState(day, "scored") for day in days(5)),
    not_loaded=None,
    dags=(),
)
SHELL = Shell(command=".venv/bin/python -m pipeline", airflow="run airflow")


def next_action(health: Health, shell: Shell = SHELL) -> NextAction:
    return asked_for(health, shell)


def with_days(*states: State, reason: str = "") -> Health:
    found = zip(days(len(states)), states, strict=True)
    return replace(WELL, partitions=tuple(PartitionState(d, s, reason) for d, s in found))


def drifting(action: str) -> Health:
    return replace(WELL, drift=LatestDrift(FIRST_DAY, "some drift", action, "D is 0.4"))


def test_where_all_is_well_there_is_nothing_to_do():
    assert next_action(WELL).what == NOTHING


def test_skipped_days_are_ingested_newest_run_of_days_first():
    todo = next_action(with_days("missing", "scored", "missing", "missing", "scored"))

    assert (
        todo.what == "ingest 2024-01-03 to 2024-01-04 and 1 more days, which were never attempted"
    )
    assert todo.command == (
        "run airflow dags trigger pumps__load --conf "
        '\'{"from_day": "2024-01-03", "to_day": "2024-01-04"}\''
    )


def test_validated_days_are_scored_once_there_is_a_champion():
    waiting = with_days("waiting")

    assert 'pumps__score --conf \'{"partition": "2024-01-01"}\'' in next_action(waiting).command
    assert "pumps__train" in next_action(replace(waiting, live=None)).command


def test_several_days_are_scored_by_one_run():
    command = next_action(with_days("waiting", "waiting")).command

    assert command == (
        "run airflow dags trigger pumps__load --conf "
        '\'{"from_day": "2024-01-01", "to_day": "2024-01-02", "work": "score again"}\''
    )


@pytest.mark.parametrize(("scoring_failed", "verb"), [(True, "score"), (False, "load")], ids=str)
def test_a_failed_day_is_run_again_where_it_failed(scoring_failed, verb):
    failed = PartitionState(days(1)[0], "failed", "no answer", scoring_failed=scoring_failed)

    assert f"pumps__{verb} " in next_action(replace(WELL, partitions=(failed,))).command


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (replace(WELL, unfinished_rollback=(4,)), "pumps__rollback"),
        (drifting("retrain"), "pumps__train"),
        (drifting("recalibrate"), "pumps__recalibrate"),
        (replace(WELL, undecided=("flow on a",)), "-m pipeline channel pumps --list"),
        (replace(WELL, audits_waiting=2), "label pumps --list"),
        (replace(WELL, open_incidents=2), "label pumps --list"),
        (replace(WELL, not_loaded=(FIRST_DAY, days(9)[8])), '"to_day": "2024-01-09"'),
        (with_days("contradictory", reason="odd"), "status pumps --proof"),
    ],
    ids=["rollback", "retrain", "recalibrate", "muted", "audits", "incidents", "history", "odd"],
)
def test_each_state_has_its_command(health, expected):
    assert expected in next_action(health).command


def test_an_unfinished_rollback_comes_before_open_items():
    health = replace(drifting("retrain"), open_incidents=9, unfinished_rollback=(4,))

    assert "rollback" in next_action(health).what
    assert "retrain" not in next_action(replace(health, unfinished_rollback=())).command


def test_a_challenger_waits_for_a_person_only_where_one_is_asked():
    waiting = replace(WELL, challenger=4)

    assert next_action(waiting).what == NOTHING
    assert "approve or reject version 4" in next_action(replace(waiting, approval="human")).what


def test_nothing_is_trained_while_a_first_version_waits_for_its_approval():
    waits = replace(with_days("waiting"), live=None, challenger=1, approval="human")

    assert "approve or reject version 1" in next_action(waits).what
    assert "train the first" in next_action(replace(waits, approval="none")).what


@pytest.mark.parametrize(
    ("run", "where"),
    [
        ("pumps__train/manual__2024", "under Required Actions of pumps__train in Airflow"),
        ("pumps__recalibrate/scheduled__2024", "under Required Actions of pumps__recalibrate in"),
        ("pumps__recalibrate", "under Required Actions of pumps__recalibrate in Airflow"),
    ],
)
def test_an_approval_is_given_in_the_dag_that_asked(run, where):
    todo = next_action(replace(WELL, challenger=4, challenger_run=run, approval="human"))

    assert where in todo.what
    assert not todo.command


def test_an_approval_is_given_at_the_command_line_that_asked():
    run = "pumps__recalibrate/cli__2024-05-01T00:00:00+00:00"
    asked = replace(WELL, challenger=4, challenger_run=run, approval="human")

    assert next_action(asked).command == (
        ".venv/bin/python -m pipeline run promote pumps --version 4 --approve"
    )
    assert "--reject" in next_action(asked).what
    assert "Airflow" not in next_action(asked).what


def test_a_reason_that_ends_a_sentence_is_joined_without_its_full_stop():
    failed = with_days("failed", reason="save it as UTF-8.")
    dags = (Dag("pumps__load", paused=False, running=1),)

    assert "save it as UTF-8: a run" in next_action(replace(failed, dags=dags)).what


def test_required_dags_are_unpaused_before_anything_else():
    dags = tuple(Dag(f"pumps__{verb}", paused=True) for verb in ("ask", "ingest", "rollback"))
    health = replace(WELL, dags=dags, unfinished_rollback=(4,))

    todo = next_action(health)

    assert todo.what.startswith("unpause rollback, ask: ")
    assert todo.command == (
        "run airflow dags unpause --yes --treat-dag-id-as-regex '^pumps__(rollback|ask)$'"
    )


def test_scheduled_dags_wait_for_the_user_and_come_last():
    health = replace(WELL, dags=(Dag("pumps__ingest", paused=True),))

    assert next_action(health).command == "run airflow dags unpause pumps__ingest"
    assert "label" in next_action(replace(health, open_incidents=1)).command
    assert next_action(replace(health, ended=True)).what == NOTHING


@pytest.mark.parametrize(
    "dags", [(Dag("pumps__train", paused=True),), None], ids=["seen", "unseen"]
)
def test_a_run_of_a_paused_dag_does_not_wait_in_silence(dags):
    todo = next_action(replace(with_days("waiting"), live=None, dags=dags))

    assert todo.command == (
        "run airflow dags unpause pumps__train && run airflow dags trigger pumps__train"
    )


NO_AIRFLOW = Shell("plimsoll", None)


@pytest.mark.parametrize(
    ("health", "command"),
    [
        (with_days("missing"), "run load pumps --from 2024-01-01 --to 2024-01-01"),
        (with_days("waiting"), "run score pumps --day 2024-01-01"),
        (
            with_days("waiting", "waiting"),
            "run load pumps --from 2024-01-01 --to 2024-01-02 --again",
        ),
        (replace(with_days("waiting"), live=None), "run train pumps"),
        (drifting("recalibrate"), "run recalibrate pumps"),
        (
            replace(WELL, unfinished_rollback=(4,)),
            "run rollback pumps --target previous --reason 'finish the rollback'",
        ),
    ],
    ids=["load", "score", "again", "train", "recalibrate", "rollback"],
)
def test_without_airflow_the_command_line_does_it(health, command):
    todo = next_action(replace(health, dags=None), NO_AIRFLOW)

    assert todo.command == f"plimsoll {command}"
    assert "Airflow" not in todo.what
    assert "run by itself" not in todo.what


def test_a_day_outside_the_schedule_asks_for_nothing():
    assert next_action(with_days("scored", "outside")).what == NOTHING


def test_a_run_that_is_at_work_is_not_started_again():
    dags = (Dag("pumps__train", paused=False, running=1),)

    todo = next_action(replace(with_days("waiting"), live=None, dags=dags))

    assert todo.what.endswith("a run of pumps__train is at work; wait for its end")
    assert not todo.command


def test_a_degradation_asks_to_look_at_what_carries_it():
    grown = case(kind="degradation", why="the score rose. Most of it: flow of a.")
    drifting_too = drifting("look")

    todo = next_action(replace(drifting_too, open_cases=(case(id="beef"), grown)))

    assert todo.what == "look at a: the score rose. Most of it: flow of a."
    assert "cases pumps --answer c0ffee 'was a fault'" in todo.command
    assert next_action(drifting_too).what == NOTHING  # a person has answered


def test_open_cases_ask_for_an_answer():
    todo = next_action(replace(WELL, open_cases=(case(), case(id="beef"))))

    assert todo.what == "say what the 2 open cases are: a fault, or normal"
    assert todo.command == ".venv/bin/python -m pipeline cases pumps"


SINCE = datetime(2024, 1, 3, 6, tzinfo=UTC)


def broken(**causes: Any) -> Health:
    """A threshold that does not hold, and what is known of its cause."""
    found = BrokenThreshold(
        version=3,
        since=SINCE,
        until=SINCE + timedelta(hours=12),
        hours=12,
        share=0.4,
        rows=60,
        rows_effective=7.0,
        promised=0.01,
        most=0.2,
        causes=KnownCauses(**{"rows": 900.0, "rows_needed": 100, **causes}),
    )
    return replace(with_days("missing"), broken=found)


def test_a_threshold_that_does_not_hold_comes_before_lost_days_and_is_not_healthy():
    health = replace(broken(), partitions=WELL.partitions)

    assert not health.healthy
    assert next_action(broken()) == NextAction(
        "look at what the flagged rows show, and label it: "
        "the threshold does not hold since 2024-01-03 06:00 UTC",
        ".venv/bin/python -m pipeline label pumps --list",
    )


@pytest.mark.parametrize(
    ("causes", "what", "command"),
    [
        ({"tripped": "Version 3 left its limits."}, "roll version 3 back", "pumps__rollback"),
        ({"drift_action": "retrain"}, "train anew", "pumps__train"),
        ({"cases": (case(kind="regime"),), "drift_action": "recalibrate"}, "train", "pumps__train"),
        ({"drift_action": "recalibrate"}, "recalibrate", "pumps__recalibrate"),
        ({"rows": 60.0}, "recalibrate", "pumps__recalibrate"),
        ({"drift_action": "quarantine", "drift_reason": "flow is frozen."}, "fix the source", ""),
        (
            {"cases": (case(kind="episode"),), "drift_action": "retrain"},
            "say what the",
            "cases pumps",
        ),
        (
            {"cases": (case(kind="shift"),), "rows": 60.0},
            "say what the open case is",
            "cases pumps",
        ),
        ({"cases": (case(kind="degradation"),), "drift_action": "retrain"}, "look", "cases pumps"),
        ({"drift_action": "look"}, "look at what the flagged rows show", "label pumps --list"),
    ],
)
def test_the_action_follows_the_cause_and_never_teaches_what_is_open(causes, what, command):
    todo = next_action(broken(**causes))

    assert todo.what.startswith(what)
    assert command in todo.command


@pytest.mark.parametrize(("kind", "is_cause"), [("data fault", True), ("not judged", False)])
def test_a_drift_verdict_that_says_nothing_is_no_cause(kind: str, *, is_cause: bool):
    found = broken(drift=kind, drift_reason="Few rows.").broken

    assert found is not None
    assert ("drift says" in found.because) == is_cause


def test_a_rollback_names_the_version_that_must_still_be_live():
    command = next_action(broken(tripped="It left its limits.")).command

    assert '"target": "previous"' in command
    assert '"only_if_live": "3"' in command


def test_the_ledger_comes_before_the_threshold():
    fault = LedgerFault("the alias was moved", "repair it", "ledger pumps --repair")

    assert next_action(replace(broken(), faults=(fault,))).what == "repair it"


def test_a_sensor_that_failed_on_the_newest_day_asks_for_a_repair():
    health = with_days("scored", "scored", reason="without flow of b (stuck sensor, 14 rows)")

    assert next_action(health).what == (
        "repair the sensors: the newest day was scored without flow of b (stuck sensor, 14 rows)"
    )
    assert health.healthy

"""Airflow's parsing of our DAG bundle, in a fresh process as Airflow does it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.environment import DETECTOR_BUNDLE
from tests.verbs import VERBS

REPOSITORY = Path(__file__).parents[2]
HEAVY = ("torch", "mlflow", "pandas", "evidently", "onnxruntime", "sklearn", "deltalake")

DESCRIBE = """
import json, sys
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag
[bundle] = DagBundlesManager().get_all_dag_bundles()
bundle.initialize()
bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
tasks = {
    dag_id: {
        task.task_id: {
            "retries": task.retries,
            "policy": task.retry_policy is not None,
            "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
            "downstream": sorted(task.downstream_task_ids),
            "pool": task.pool,
            "queue": task.queue,
            "mapped": task.is_mapped or task.get_closest_mapped_task_group() is not None,
            "shown_as": task.map_index_template,
        }
        for task in dag.tasks
    }
    for dag_id, dag in bag.dags.items()
}
docs = {dag_id: dag.doc_md for dag_id, dag in bag.dags.items()}
paused = {dag_id: dag.is_paused_upon_creation for dag_id, dag in bag.dags.items()}
described = {dag_id: dag.description for dag_id, dag in bag.dags.items()}
tags = {dag_id: sorted(dag.tags) for dag_id, dag in bag.dags.items()}
params = {dag_id: sorted(dag.params) for dag_id, dag in bag.dags.items()}
print("RESULT" + json.dumps({"errors": {str(k): str(v) for k, v in bag.import_errors.items()},
                             "tasks": tasks, "docs": docs, "params": params, "paused": paused,
                             "tags": tags, "described": described}))
"""

IMPORT_ONLY = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print("RESULT" + json.dumps([name for name in sys.argv[2:] if name in sys.modules]))
"""


def in_fresh_process(home: Path, script: str, *arguments: str, **environment: str):
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([DETECTOR_BUNDLE]),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "PYTHONPATH": str(REPOSITORY),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout.split("RESULT")[1])


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    return in_fresh_process(home, DESCRIBE)


def test_every_dag_file_parses(parsed):
    assert parsed["errors"] == {}


def test_every_detector_has_its_dags(parsed):
    detectors = [path.stem for path in (REPOSITORY / "detectors").glob("*.yaml")]

    assert set(parsed["tasks"]) == {f"{name}__{verb}" for name in detectors for verb in VERBS}


def test_airflow_shows_the_description_of_the_detector_with_each_of_its_dags(parsed):
    for dag_id, shown in parsed["described"].items():
        name = dag_id.rpartition("__")[0]
        text = (REPOSITORY / "detectors" / f"{name}.yaml").read_text(encoding="utf-8")

        assert f"\ndescription: {shown}\n" in text


def test_only_scheduled_dags_are_paused_for_the_user(parsed):
    waits = {name.rpartition("__")[2] for name, paused in parsed["paused"].items() if paused}

    assert waits == {"ingest", "train", "recalibrate"}
    assert None not in parsed["paused"].values()


def test_ingest_is_a_visible_chain(parsed):
    tasks = parsed["tasks"]["la_haute_borne__ingest"]

    assert {name: task["downstream"] for name, task in tasks.items()} == {
        "fetch": ["validate"],
        "validate": ["write"],
        "write": [],
    }


def test_load_maps_groups_of_days_each_loaded_then_scored_then_judged(parsed):
    tasks = parsed["tasks"]["la_haute_borne__load"]

    assert {name: task["downstream"] for name, task in tasks.items()} == {
        "plan_groups": ["group.judge_drift", "group.load", "group.score"],
        "group.load": ["group.score"],
        "group.score": ["group.judge_drift"],
        "group.judge_drift": [],
    }
    assert {name: task["mapped"] for name, task in tasks.items()} == {
        "plan_groups": False,
        "group.load": True,
        "group.score": True,
        "group.judge_drift": True,
    }


@pytest.mark.parametrize(
    ("verb", "task"),
    [
        ("load", "group.load"),
        ("load", "group.score"),
        ("load", "group.judge_drift"),
        ("rollback", "rescore"),
        ("channel", "rescore"),
    ],
)
def test_a_mapped_task_is_shown_by_the_days_of_its_group(parsed, verb, task):
    template = parsed["tasks"][f"la_haute_borne__{verb}"][task]["shown_as"]

    assert template == "{{ task.op_kwargs['days'][0] }} to {{ task.op_kwargs['days'][-1] }}"


def test_only_a_load_takes_a_range_of_days(parsed):
    ranged = {dag_id for dag_id, params in parsed["params"].items() if "from_day" in params}

    assert ranged == {dag_id for dag_id in parsed["tasks"] if dag_id.endswith("__load")}


def test_the_tasks_after_a_scored_day_are_visible(parsed):
    tasks = parsed["tasks"]["la_haute_borne__score"]

    assert {name: task["downstream"] for name, task in tasks.items()} == {
        "score": ["judge_drift", "notify"],
        "judge_drift": ["follow_up.check_promotion", "notify"],
        "notify": [],
        "follow_up.check_promotion": [
            "follow_up.decide_request",
            "follow_up.trigger_rollback",
        ],
        "follow_up.trigger_rollback": [],
        "follow_up.decide_request": ["follow_up.trigger_request"],
        "follow_up.trigger_request": [],
    }


def test_train_is_a_visible_chain(parsed):
    tasks = parsed["tasks"]["la_haute_borne__train"]
    order = ["window", "train", "calibrate", "evaluate", "drift", "gate", "promote"]

    assert {name: task["downstream"] for name, task in tasks.items()} == {
        name: order[position + 1 : position + 2] for position, name in enumerate(order)
    }


def test_a_list_of_dags_can_be_filtered_by_detector_and_by_verb(parsed):
    for name, tags in parsed["tags"].items():
        detector, verb = name.split("__")
        assert tags == sorted(["plimsoll", detector, verb])


def test_promotion_has_a_pool_of_its_own(parsed):
    assert parsed["tasks"]["la_haute_borne__train"]["promote"]["pool"] == "promotion"


def test_every_task_may_survive_its_worker_and_none_runs_for_ever(parsed):
    for tasks in parsed["tasks"].values():
        for task in tasks.values():
            assert task["retries"] >= 1
            assert task["policy"]
            assert task["timeout"] is not None


def test_every_dag_explains_itself_and_takes_parameters(parsed):
    for dag_id in parsed["tasks"]:
        assert len(parsed["docs"][dag_id]) > 300
        assert parsed["params"][dag_id] or dag_id.endswith("__ingest")  # which takes a partition


@pytest.mark.parametrize("module", [*(f"dags.{verb}" for verb in VERBS), "dags.of_detector"])
def test_parsing_imports_nothing_heavy(tmp_path, module):
    assert in_fresh_process(tmp_path, IMPORT_ONLY, module, *HEAVY) == []


def test_human_approval_adds_a_question_before_promotion(tmp_path):
    detectors = tmp_path / "detectors"
    detectors.mkdir()
    text = (REPOSITORY / "detectors" / "la_haute_borne.yaml").read_text()
    (detectors / "la_haute_borne.yaml").write_text(text + "\npromotion: {approval: human}\n")

    found = in_fresh_process(tmp_path, DESCRIBE, PLIMSOLL_DETECTORS=str(detectors))

    tasks = found["tasks"]["la_haute_borne__train"]
    assert tasks["gate"]["downstream"] == ["passed_gate", "promote"]
    assert tasks["passed_gate"]["downstream"] == ["approve"]
    assert tasks["approve"]["downstream"] == ["promote"]
    signing = {name for name, task in tasks.items() if task["queue"] == "signing"}
    assert signing == {"approve", "promote"}  # what is answered is believed only from there


def test_a_broken_detector_file_is_an_import_error_and_spares_its_neighbours(tmp_path):
    detectors = tmp_path / "detectors"
    detectors.mkdir()
    text = (REPOSITORY / "detectors" / "la_haute_borne.yaml").read_text()
    (detectors / "la_haute_borne.yaml").write_text(text)
    (detectors / "pump.yaml").write_text("name: pump\ncolour: red\n")

    found = in_fresh_process(tmp_path, DESCRIBE, PLIMSOLL_DETECTORS=str(detectors))

    assert "la_haute_borne__train" in found["tasks"]
    assert [name.rpartition("/")[2] for name in found["errors"]] == ["pump.py"]
    assert "pump.yaml:2: colour: unknown key" in "".join(found["errors"].values())

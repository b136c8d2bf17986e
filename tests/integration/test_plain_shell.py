"""A person in a plain shell, beside a stack that runs: nothing is set but the way to its home."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from pipeline.dag_ids import STARTING, VERBS, dag_id
from pipeline.settings import REPOSITORY
from tests.builders import make_spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import RunningStack, StartStack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stack(
    start_stack: StartStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    """A stack that watches the pump farm, whose source has nothing."""
    detectors = tmp_path_factory.mktemp("detectors")
    content = make_spec(source={"kind": "parquet", "path": "{date}.parquet"})
    plain = content.model_dump(mode="json", by_alias=True)
    (detectors / "pumps.yaml").write_text(yaml.safe_dump(plain))
    with start_stack(detectors=detectors) as running:
        running.airflow.wait_for_dag("pumps__load")
        yield running


def shell(home: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=REPOSITORY,
        env={"PLIMSOLL_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def plimsoll(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return shell(home, " ".join([sys.executable, "-m", "pipeline", *words]))


def test_status_finds_the_stack_and_what_it_prints_can_be_pasted(stack: RunningStack):
    home = stack.stack.layout.home

    status = plimsoll(home, "status", "--json")

    (found,) = json.loads(status.stdout)
    assert (status.returncode, found["live"]) == (1, None)  # asked and answered: nothing is live
    paused = {dag["dag_id"] for dag in found["dags"] if dag["paused"]}
    assert paused == {dag_id("pumps", verb) for verb in STARTING}
    # Pasted in a shell of its own, which knows nothing of the stack.
    pasted = subprocess.run(
        ["bash", "-c", found["next"]["command"]],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert pasted.returncode == 0, pasted.stderr
    (run,) = stack.airflow.runs("pumps__load")
    assert stack.airflow.wait_for_run("pumps__load", run["dag_run_id"]).state in (
        "success",
        "failed",
    )


def test_a_detector_without_tables_or_versions_is_kept_in_order(stack: RunningStack):
    run = stack.airflow.trigger("pumps__housekeeping")

    assert stack.airflow.wait_for_run("pumps__housekeeping", run).succeeded


@pytest.mark.parametrize("verb", ["train", "recalibrate"])
def test_what_the_schedule_asks_too_early_is_skipped_and_by_hand_it_is_an_error(
    stack: RunningStack, verb: str
):
    name = dag_id("pumps", verb)
    stack.airflow.unpause(name)
    deadline = time.monotonic() + 120
    while not (found := stack.airflow.runs(name)) and time.monotonic() < deadline:
        time.sleep(1)

    scheduled = stack.airflow.wait_for_run(name, found[0]["dag_run_id"])
    by_hand = stack.airflow.wait_for_run(name, stack.airflow.trigger(name))

    states = [
        {task.task_id: task.state for task in run.tasks}["window"] for run in (scheduled, by_hand)
    ]
    assert found[0]["run_type"] == "scheduled"
    assert states == ["skipped", "failed"]
    assert (scheduled.succeeded, by_hand.succeeded) == (True, False)


def test_a_removed_detectors_dags_go_at_once(stack: RunningStack):
    home = stack.stack.layout.home
    for run in stack.airflow.runs("pumps__housekeeping"):
        stack.airflow.wait_for_run("pumps__housekeeping", run["dag_run_id"])

    done = plimsoll(home, "remove", "pumps", "--tables", "delete", "--yes")

    assert done.returncode == 0, done.stderr
    left = stack.airflow.request("GET", "dags", exclude_stale="false", limit=100)["dags"]
    assert {each["dag_id"] for each in left} & {dag_id("pumps", verb) for verb in VERBS} == set()
    assert "There is no detector file" in plimsoll(home, "status").stdout

"""`python -m deploy.embedded run`: a command in the environment that the stack's tasks have."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
INSIDE = (sys.executable, "-m", "deploy.embedded", "run")


@pytest.mark.integration
def test_a_command_runs_as_the_stacks_own(stack):
    result = subprocess.run(
        [*INSIDE, "airflow", "config", "get-value", "dag_processor", "dag_bundle_storage_path"],
        cwd=REPOSITORY,
        env={"PLIMSOLL_HOME": str(stack.stack.layout.home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stdout.strip().endswith(str(stack.stack.layout.airflow / "bundles"))

"""`python -m deploy.embedded run`: a command in the environment that the stack's tasks have."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.embedded", "run", *words],
        cwd=REPOSITORY,
        env={"PLIMSOLL_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_stack_it_says_how_to_start_one(tmp_path):
    result = run(tmp_path, "airflow", "version")

    assert result.returncode == 1
    assert "no stack" in result.stderr
    assert "make up" in result.stderr

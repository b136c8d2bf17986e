import json
import subprocess
import sys

import pytest
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from pipeline import log_context
from pipeline.cli import log_lines, main

SCORE = """
import logging, sys
import structlog
from pipeline.cli import main, score

def run(arguments):
    code = inner(arguments)
    structlog.get_logger().warning("deep_inside", rows=3)
    logging.getLogger("a.library").warning("as %s says", "it")
    return code

inner, score.run = score.run, run
sys.exit(main(sys.argv[1:]))
"""


def test_every_line_of_a_command_is_json_that_says_detector_run_and_version(tmp_path):
    from tests.detector.plant import normal_rows, write_plant

    write_plant(tmp_path / "bundle")
    normal_rows(60, seed=4).to_parquet(tmp_path / "rows.parquet")
    given = ["--bundle", tmp_path / "bundle", "--data", tmp_path / "rows.parquet"]

    done = subprocess.run(
        [sys.executable, "-c", SCORE, "score", *given, "--out", tmp_path / "s", "--log", "json"],
        check=True,
        capture_output=True,
        text=True,
    )

    ours, library = map(json.loads, done.stderr.splitlines())
    assert (ours["event"], ours["level"], ours["rows"]) == ("deep_inside", "warning", 3)
    assert (library["event"], library["logger"]) == ("as it says", "a.library")
    for line in (ours, library):
        assert line["detector"]
        assert line["run"].startswith("cli/score/")
        assert len(line["version"]) == 12
        assert line["timestamp"].endswith("Z")


def test_a_failed_command_says_so_in_the_same_form(tmp_path):
    given = ["--bundle", tmp_path / "none", "--data", tmp_path / "none", "--out", tmp_path / "s"]

    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "score", *given, "--log", "json"],
        check=False,
        capture_output=True,
        text=True,
    )

    line = json.loads(done.stderr)
    assert done.returncode == 2
    assert (line["event"], line["level"]) == ("command_failed", "error")
    assert "none" in line["reason"]


@pytest.mark.parametrize(
    "words",
    [
        ("--log", "json", "ingest", "pumps", "--day", "never"),
        ("ingest", "pumps", "--day", "never", "--log", "json"),
    ],
    ids=["before", "after"],
)
def test_the_form_of_the_log_may_stand_before_or_after_the_step_of_run(words, monkeypatch):
    formed = []
    monkeypatch.setattr(log_lines, "configure", formed.append)
    monkeypatch.setattr("pipeline.cli.run.run", lambda _: 0)

    assert main(["run", *words]) == 0

    assert formed == ["json"]


def test_the_help_is_about_machines_and_names_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])

    said = capsys.readouterr().out
    assert "Exit codes: 0 done; 1 the answer is no" in said
    assert "Watch machines" in said
    assert "COMMANDS" not in said


def test_the_log_context_of_a_command_ends_with_it(tmp_path):
    main(["fit", "--train", str(tmp_path / "no.parquet"), "--out", str(tmp_path / "bundle")])

    assert not set(log_context.KEYS) & get_contextvars().keys()


def test_what_was_bound_outside_is_bound_again_afterwards():
    with log_context.about(detector="pumps", partition="2014-05-01", run="r1"):
        log_context.bind_version(7)
        with log_context.about(detector="press"):
            inside = dict(get_contextvars())
        outside = dict(get_contextvars())

    assert inside == {"detector": "press"}
    assert outside == {"detector": "pumps", "partition": "2014-05-01", "run": "r1", "version": 7}


def test_a_version_outside_a_context_is_not_bound():
    with capture_logs():
        log_context.bind_version(7)

    assert get_contextvars() == {}


def test_days_are_one_partition():
    assert log_context.partition_of([]) == ""
    assert log_context.partition_of(["2014-05-01"]) == "2014-05-01"
    assert log_context.partition_of(["2014-05-03", "2014-05-01"]) == "2014-05-01/2014-05-03"

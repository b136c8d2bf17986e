"""Steps as jobs, even if their events cannot be sent."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from structlog.testing import capture_logs

from pipeline import lineage, settings
from pipeline.errors import DataError
from pipeline.lineage import sending
from tests.lineage.reading import events_in, lineage_in, names


@lineage.job("score")
def make(_here, detector, *, run, fails=False):
    lineage.note_read("s3://ada:secret@lake/pumps/telemetry", version=3)
    lineage.note_read("s3://lake/pumps/scores", version=8)
    lineage.note_written("s3://lake/pumps/scores", version=9, rows=10)
    lineage.note_written("s3://lake/pumps/scores", version=10, rows=5)
    lineage.note_model(detector, 4, alias="champion")
    if fails:
        msg = "the day is empty"
        raise DataError(msg)
    return run


@lineage.stage("train")
def prepare(_here, payload, *, fails=False):
    if fails:
        msg = "too few days"
        raise DataError(msg)
    return payload


@pytest.fixture
def folder(tmp_path):
    with lineage_in(tmp_path / "lineage") as found:
        yield found


def test_a_step_returns_its_result_and_reports_its_datasets(folder):
    assert make(settings.load(), "pumps", run="pumps__score/r1") == "pumps__score/r1"

    _, done = events_in(folder)
    assert done["job"] == {
        "namespace": "plimsoll",
        "name": "pumps.score",
        "facets": done["job"]["facets"],
    }
    (scores,) = done["outputs"]
    assert (scores["namespace"], scores["name"]) == ("s3://lake", "pumps/scores")
    assert names(done, "outputs") == {"scores": "10"}
    assert scores["outputFacets"]["outputStatistics"]["rowCount"] == 15


def test_what_a_job_wrote_is_no_input_of_it_and_a_password_is_never_shown(folder):
    make(settings.load(), "pumps", run="pumps__score/r1")

    _, done = events_in(folder)
    assert names(done, "inputs") == {"pumps@champion": "4", "telemetry": "3"}
    assert "secret" not in json.dumps(events_in(folder))


def test_a_failure_is_reported_and_raised_as_it_was(folder):
    with pytest.raises(DataError, match="the day is empty"):
        make(settings.load(), "pumps", run="pumps__score/r1", fails=True)

    _, failed = events_in(folder)
    error = failed["run"]["facets"]["errorMessage"]
    assert failed["eventType"] == "FAIL"
    assert error["message"] == "DataError: the day is empty"
    assert error["programmingLanguage"] == "python"


def test_a_task_that_is_stopped_is_reported_as_failed(folder):
    @lineage.job("train")
    def stopped(_here, _detector):
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        stopped(settings.load(), "pumps")

    assert [event["eventType"] for event in events_in(folder)] == ["START", "FAIL"]


def test_a_step_on_the_way_is_silent_unless_it_fails(folder):
    prepare(settings.load(), {"detector": "pumps"})
    assert events_in(folder) == []

    with pytest.raises(DataError):
        prepare(settings.load(), {"candidate": {"detector": "pumps"}}, fails=True)

    events = [(event["job"]["name"], event["eventType"]) for event in events_in(folder)]
    assert events == [("pumps.train", "START"), ("pumps.train", "FAIL")]


def test_a_retry_is_a_run_of_its_own(folder):
    for _ in range(2):
        make(settings.load(), "pumps", run="pumps__score/r1")

    runs = [event["run"] for event in events_in(folder)]
    assert len({run["runId"] for run in runs}) == 2
    assert len({run["facets"]["parent"]["run"]["runId"] for run in runs}) == 1


def test_openlineages_own_switch_turns_it_off(tmp_path):
    with lineage_in(tmp_path / "lineage", OPENLINEAGE_DISABLED="true") as folder:
        make(settings.load(), "pumps", run="pumps__score/r1")

    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_a_warning_in_the_log(tmp_path):
    (tmp_path / "file").touch()

    with lineage_in(tmp_path / "file" / "lineage"), capture_logs() as lines:
        assert make(settings.load(), "pumps", run="pumps__score/r1")

    (line,) = [line for line in lines if line["event"] == "lineage_not_sent"]
    assert line["log_level"] == "warning"
    assert "NotADirectoryError" in line["reason"]


def test_a_backend_that_does_not_answer_costs_a_moment_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "WAIT_S", 0.2)
    release = threading.Event()
    monkeypatch.setattr("pipeline.lineage.events.emit", lambda *_: release.wait(30))

    with lineage_in(tmp_path / "lineage"), capture_logs() as lines:
        began = time.monotonic()
        for _ in range(50):
            make(settings.load(), "pumps", run="pumps__score/r1")
        took = time.monotonic() - began
        release.set()

    assert took < 2
    assert "no answer within 0.2 s" in {line["reason"] for line in lines}


@pytest.fixture
def backend():
    """The requests to an OpenLineage backend."""
    received = []

    class Backend(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            received.append((self.path, json.loads(self.rfile.read(length))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Backend) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "variables",
    [
        {"OPENLINEAGE_URL": "{url}"},
        {"OPENLINEAGE__TRANSPORT": '{{"type": "http", "url": "{url}", "compression": null}}'},
    ],
)
def test_openlineages_own_variables_send_the_events_elsewhere(
    tmp_path, backend, variables, monkeypatch
):
    url, received = backend
    given = {name: value.format(url=url) for name, value in variables.items()}
    for copy in ("TYPE", "URL"):
        # The library copies OPENLINEAGE_URL into these; set here, they are gone after the test.
        name = f"OPENLINEAGE__TRANSPORT__TRANSPORTS__DEFAULT_HTTP__{copy}"
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    with lineage_in(tmp_path / "lineage", **given) as folder:
        make(settings.load(), "pumps", run="pumps__score/r1")

    assert [event["eventType"] for _, event in received] == ["START", "COMPLETE"]
    assert {path for path, _ in received} == {"/api/v1/lineage"}
    assert events_in(folder) == []

"""Requests to Airflow, and that its silence is an outage."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from pipeline.errors import OutageError
from pipeline.scheduler import Dag, Scheduler


def airflow(answers: dict[str, object]) -> Scheduler:
    """A scheduler behind which `answers` lie, by path; lists are given out in pages of 100.

    What is deleted goes from `answers`.
    """

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2/")
        if request.method == "DELETE":
            return httpx.Response(404 if answers.pop(path, None) is None else 204)
        held = answers[path]
        if isinstance(held, int):
            return httpx.Response(held, text="no")
        asked = parse_qs(urlsplit(str(request.url)).query)
        first = int(asked["offset"][0])
        ((name, items),) = held.items()
        return httpx.Response(200, text=json.dumps({name: items[first : first + 100]}))

    transport = httpx.MockTransport(answer)
    return Scheduler(httpx.Client(base_url="http://airflow", transport=transport))


def run(dag_id: str, state: str) -> dict[str, str]:
    return {"dag_id": dag_id, "dag_run_id": "r", "state": state}


def test_dags_are_listed_with_their_waiting_and_running_runs():
    found = airflow(
        {
            "dags": {
                "dags": [
                    {"dag_id": "b__train", "is_paused": True},
                    {"dag_id": "a__load", "is_paused": False},
                ]
            },
            "dags/~/dagRuns": {
                "dag_runs": [run("b__train", "queued")] * 120 + [run("a__load", "running")]
            },
        }
    ).dags()

    assert found == [
        Dag("a__load", paused=False, running=1), Dag("b__train", paused=True, waiting=120),
    ]  # fmt: skip
    assert [(dag.detector, dag.verb) for dag in found] == [("a", "load"), ("b", "train")]


def test_only_the_detectors_own_dags_count_as_its_own():
    dags = [{"dag_id": name} for name in ("a__load", "a__mine", "aa__load", "a__b__load")]

    assert airflow({"dags": {"dags": dags}}).dag_ids("a") == ["a__load"]


def test_a_dag_that_is_gone_is_deleted():
    held: dict[str, object] = {"dags/a__load": {}, "dags/b__load": {}}

    for _ in ("there", "gone already"):
        airflow(held).delete("a__load")

        assert held == {"dags/b__load": {}}


def test_runs_at_work_are_named():
    runs = {"dag_runs": [run("a__load", "running"), run("a_2__load", "running")]}

    assert airflow({"dags/~/dagRuns": runs}).at_work("a") == ["a__load/r"]


def test_a_refusal_is_an_outage_that_says_what_was_refused():
    with pytest.raises(OutageError, match="refuses GET /api/v2/dags with status 409: no"):
        airflow({"dags": 409}).dag_ids("a")


def test_a_dag_of_an_earlier_release_is_not_shown_and_goes_with_its_detector():
    dags = [{"dag_id": f"a__{verb}", "is_paused": True} for verb in ("channel", "feature")]
    asked = airflow({"dags": {"dags": dags}, "dags/~/dagRuns": {"dag_runs": []}})

    assert asked.dags() == [Dag("a__channel", paused=True)]
    assert asked.dag_ids("a") == ["a__channel", "a__feature"]

"""A person's answer on the full stack: asked for by the triggerer, given by a named user."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.plant import day_after
from tests.integration.station import states
from tests.stack.station import PATIENCE_S, CloudStation

if TYPE_CHECKING:
    from deploy.airflow_api import AirflowApi
    from tests.stack.running import Stack

pytestmark = pytest.mark.stack

READING_S = 3.0  # Airflow 3.3.2 books the pause for half a second, which a person never overtakes


def test_nothing_goes_live_before_a_person_has_approved(
    station: CloudStation, stack: Stack, airflow: AirflowApi
):
    asking = CloudStation("asking", stack, airflow)
    asking.wake("load", "train")
    assert station.name != asking.name  # it has delivered the days
    assert asking.load(0, 44).succeeded
    run = asking.begin("train", conf={"as_of": str(day_after(36))})
    waits_for_an_answer(asking, run)
    before = asking.champion()

    time.sleep(READING_S)
    path = f"dags/asking__train/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
    answer = {"chosen_options": ["Approve"], "params_input": {"comment": "looks right"}}
    airflow.request("PATCH", path, answer)
    ended = asking.end("train", run)

    assert before is None
    assert ended.succeeded, states(ended)
    assert asking.champion() is not None
    decision = asking.ledger()[-1].decision
    assert decision.who == f"admin in asking__train/{run}"
    assert "(looks right)" in decision.why


def waits_for_an_answer(asking: CloudStation, run: str) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not any(
        seen.task_id == "approve" and seen.state == "awaiting_input"
        for seen in asking.attempts("train", run)
    ):
        assert time.monotonic() < limit, asking.attempts("train", run)
        time.sleep(1)

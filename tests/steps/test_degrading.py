from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipeline.recalibration import STATUSES, Anchor, Recalibrated, Stop
from pipeline.recalibration.degradation import Degradation, FrozenLevel
from pipeline.settings import Deployment
from pipeline.steps.degrading import put_on_record
from pipeline.store.cases import cases_after
from tests.builders import ESTIMATE, stored_in

DAY = date(2024, 6, 1)
QUIET = Recalibrated(
    threshold=ESTIMATE,
    anchor=Anchor(1.0, 1.0, date(2024, 1, 31), moved=date(2024, 1, 31)),
    day=DAY,
    days=30,
    status=np.zeros(0, dtype=np.int8),
    weight=np.zeros(0),
    counts=dict.fromkeys(STATUSES, 0),
    held=(),
    longest_normal=4,
    level=1.0,
    step=0.0,
    total=0.0,
    growth=0.0,
    degradation=None,
    raised="",
    stops=(),
    stale="",
)
GROWN = Degradation(date(2024, 4, 2), DAY, FrozenLevel(3.0, 0.13), 0.24, ("b",))


@pytest.fixture
def here(tmp_path) -> Deployment:
    return stored_in(tmp_path)


def test_without_growth_there_is_no_case(here: Deployment) -> None:
    put_on_record(here, "pumps", QUIET)

    assert cases_after(here, "pumps", DAY) == ()


def test_growth_opens_a_case_with_its_start_and_machines(here: Deployment) -> None:
    put_on_record(here, "pumps", replace(QUIET, degradation=GROWN))

    (case,) = cases_after(here, "pumps", DAY)
    assert (case.kind, case.machines) == ("degradation", ("b",))
    assert case.start.date() == date(2024, 4, 2)
    assert "24.0% of the rows lie above a score that at most 13.0%" in case.why


def test_a_threshold_that_was_stopped_has_not_risen(here: Deployment) -> None:
    stop = Stop("creep", 0.19, 0.15, "Ordinary scores have grown.")
    put_on_record(here, "pumps", replace(QUIET, raised="It has risen by 28%.", stops=(stop,)))

    assert cases_after(here, "pumps", DAY) == ()


def test_a_raise_below_certainty_is_a_case_and_ends_when_the_threshold_is_back(
    here: Deployment,
) -> None:
    raised = "The threshold has risen by 17% since 2024-01-31."
    put_on_record(here, "pumps", replace(QUIET, raised=raised))
    (case,) = cases_after(here, "pumps", DAY)

    put_on_record(here, "pumps", replace(QUIET, day=date(2024, 7, 1)))

    assert case.why == raised
    assert cases_after(here, "pumps", date(2024, 7, 1)) == ()

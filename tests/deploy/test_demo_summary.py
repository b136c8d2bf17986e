"""The table at the end of the demo."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from deploy.demo import summary
from deploy.demo.review import LookBack
from pipeline.evaluation.metrics import Detection, Evaluation, IncidentSeen
from pipeline.evaluation.rate import RealisedRate
from pipeline.gate import CheckResult, GateVerdict
from pipeline.settings import Deployment
from pipeline.store.ingestions import Attempt, record
from tests.builders import ESTIMATE, FIRST_DAY, days, moment, stored_in

SEEN = IncidentSeen("R80711", "2014-05-01T00:00:00+00:00", "2014-05-01T02:00:00+00:00", 12, 3, 2.0)
EVALUATION = Evaluation(
    rows=1000,
    days=91,
    start="2014-04-01T00:00:00+00:00",
    end="2014-06-30T23:50:00+00:00",
    threshold=2.5,
    flags_per_day=1.0,
    alerts_per_day=0.5,
    rate=RealisedRate(2000, 900.0, 26, 0.013, (0.008, 0.02), (0, 0.02), (0, 0.02), "inside"),
    detection=Detection(0.99, 0.7, 0.6, 0.5, (SEEN, replace(SEEN, flagged=0))),
)
VERDICT = GateVerdict(
    passed=False,
    reason="1 of 2 checks failed.",
    results=(
        CheckResult("realised_rate", "pass", value="1.02%", limit="0.4% to 1.8%", reason=""),
        CheckResult("latency", "fail", value="2 s", limit="<= 1 s", reason=""),
    ),
    champion=None,
)


def attempt(day, standing, **how) -> Attempt:
    return Attempt(day, moment(FIRST_DAY), "r", standing, standing, **how)


@pytest.fixture
def here(tmp_path) -> Deployment:
    """Two days; the second was blocked and is fit by now."""
    first, second = days(2)
    blocked = attempt(second, "quarantined", rejected=432, rules={"out_of_range:power": 432})
    fixed = attempt(second, "validated", accepted=430, rejected=2, rules={"duplicate": 2})
    fixed = replace(fixed, attempted_at=blocked.attempted_at + timedelta(minutes=1))
    here = stored_in(tmp_path)
    record(here, "turbines", [attempt(first, "validated", accepted=1000), blocked, fixed])
    return here


def test_labels_and_values_are_aligned_and_a_bare_label_opens_a_section():
    text = summary.table(iter([("Gate", ""), ("latency", "PASS"), ("realised rate", "FAIL")]))

    _, heading, first, second = text.split("\n")
    assert heading == "Gate"
    assert first.index("PASS") == second.index("FAIL")


def test_each_day_counts_by_its_latest_state(here):
    rows = dict(summary.ingested(here, "turbines"))

    assert rows["days"] == "2 validated"
    assert rows["rows accepted"] == "1,430"
    assert rows["rows in quarantine"] == "2"
    assert rows["  duplicate"] == "2"


def test_a_candidate_is_shown_with_its_interval_its_gate_and_what_came_later():
    rows = dict(summary.judged(VERDICT, LookBack(1, ESTIMATE, EVALUATION)))

    assert rows["threshold"] == "2.5 (95 % interval 2.25 to unbounded)"
    assert rows["estimated from"] == "8,640 held-out rows, worth 1,234 independent"
    assert rows["realised rate"] == "PASS  1.02% (0.4% to 1.8%)"
    assert rows["latency"] == "FAIL  2 s (<= 1 s)"
    assert rows["days"] == "91 (2014-04-01 to 2014-06-30)"
    assert rows["false-alarm rate"] == "1.30% of 2,000 normal rows (promised: 1 %)"
    assert rows["outages hit"] == "1 of 2"
    assert rows["average precision"] == "0.70"


def test_without_known_incidents_nothing_is_said_about_them():
    blind = replace(EVALUATION, detection=None)

    rows = dict(summary.judged(VERDICT, LookBack(1, ESTIMATE, blind)))

    assert "outages hit" not in rows

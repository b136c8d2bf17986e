"""The as-of day of a run: from the form, a request, the interval, or the day of the trigger."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from dags import context

NOW = datetime(2026, 3, 15, 9, 30, tzinfo=UTC)
MONTH = datetime(2026, 3, 1, 3, tzinfo=UTC)


def started(monkeypatch, verb="train", run_type="manual", *, form=None, event=None, end=None):
    """A run of `pumps__<verb>` that was triggered at NOW."""
    told = SimpleNamespace(extra=event, timestamp=NOW)
    found = {
        "params": {"as_of": form},
        "dag_run": SimpleNamespace(dag_id=f"pumps__{verb}", run_type=run_type, run_after=NOW),
        "triggering_asset_events": {"asset": [told]} if event else {},
        "data_interval_end": end,
    }
    monkeypatch.setattr(context, "get_current_context", lambda: found)


@pytest.mark.parametrize("verb", ["train", "recalibrate"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"form": "2026-02-03", "event": {"as_of": "2026-02-02"}}, "2026-02-03"),
        ({"event": {"as_of": "2026-02-02"}, "run_type": "asset_triggered"}, "2026-02-02"),
        ({"end": MONTH, "run_type": "scheduled"}, "2026-03-01"),
        ({"end": MONTH}, "2026-03-01"),
        ({"run_type": "asset_triggered"}, "2026-03-15"),
    ],
    ids=["form", "request", "schedule", "by hand for an interval", "event without a day"],
)
def test_the_as_of_day_is_the_one_that_is_given(monkeypatch, verb, given, expected):
    started(monkeypatch, verb, **given)

    assert context.as_of_day() == expected


@pytest.mark.parametrize(
    ("verb", "expected"), [("train", "2026-03-15"), ("recalibrate", "2026-03-16")]
)
def test_todays_labels_count_for_a_recalibration_by_hand(monkeypatch, verb, expected):
    started(monkeypatch, verb)

    assert context.as_of_day() == expected

"""The ledger as tests write and read it: signed by keys of the test's own home, and proven."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.ledger import Decision, Entry
from pipeline.settings import Deployment
from pipeline.steps import ledger_state, live, metrics_hooks, trust
from pipeline.steps.live import LoadedVersion


def write(here: Deployment, decision: Decision) -> None:
    """Append one decision, and keep the head as whoever appends does."""
    ledger_state.keep_head(
        here, ledger_state.append(here, ledger_state.verified(here, decision.detector), decision)
    )


def entries(here: Deployment, detector: str) -> list[Entry]:
    """All entries, oldest first; fails where the ledger does not hold."""
    return list(ledger_state.verified(here, detector).entries)


def live_is(
    monkeypatch: pytest.MonkeyPatch, found: Callable[[str, str], LoadedVersion | None]
) -> None:
    """Let `found(detector, alias)` say what is live, instead of a ledger and a registry."""
    monkeypatch.setattr(live, "champion_or_none", lambda _, detector: found(detector, "champion"))
    monkeypatch.setattr(live, "challenger", lambda _, detector: found(detector, "challenger"))
    monkeypatch.setattr(live, "previous", lambda _, detector: found(detector, "previous"))
    monkeypatch.setattr(metrics_hooks, "connect", lambda _: None)
    monkeypatch.setattr(trust, "faults_of", lambda *_, **__: ())

"""One day of a world, step by step as the DAGs `ingest` and `score` take them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from benchmarks.day_cost.counting import counted
from benchmarks.day_cost.plant import NAME, World, deliver
from pipeline.settings import Deployment
from pipeline.steps import (
    drifting,
    health,
    ingestion,
    notifying,
    promotion_watch,
    scoring,
    training_request,
)

STEPS = ("fetch", "validate", "write", "score", "drift", "notify", "watch", "ask")
ASIDE = ("status",)
"""Not a part of the day: the command that a person types."""
_HANDING = ("fetch", "validate")


@dataclass(frozen=True)
class Taken:
    """What one step took.

    Attributes:
        step: its name.
        seconds: of wall time.
        cpu: seconds of processor time, all threads.
        read: what it read; empty where it was not counted, which takes time itself.
    """

    step: str
    seconds: float
    cpu: float
    read: dict[str, int]


def take(world: World, n: int, step: str, handed: Any, *, count: bool) -> tuple[Taken, Any]:
    """Take one step of day `n` of `world`; what it took, and what it hands to the next."""
    here, day = world.enter(), str(world.day(n))
    deliver(world.data, world.day(n))
    call = _call(here, day, step)
    found = Counter[str]()
    wall, cpu = time.perf_counter(), time.process_time()
    if count:
        with counted() as found:
            handed = call(handed)
    else:
        handed = call(handed)
    took = time.perf_counter() - wall, time.process_time() - cpu
    return Taken(step, *took, dict(found)), handed if step in _HANDING else None


def _call(here: Deployment, day: str, step: str) -> Callable[[Any], Any]:
    run = f"bench__{day}"
    calls: dict[str, Callable[[Any], Any]] = {
        "fetch": lambda _: ingestion.fetch(here, NAME, [day], run=run),
        "validate": lambda staged: ingestion.validate(here, staged, run=run),
        "write": lambda staged: ingestion.write(here, staged, run=run),
        "score": lambda _: scoring.score_days(here, NAME, [day], run=run),
        "drift": lambda _: drifting.judge_days(here, NAME, [day], run=run),
        "notify": lambda _: _notify(here, day, run),
        "watch": lambda _: promotion_watch.watch(here, NAME, day, run=run),
        "ask": lambda _: _ask(here, day, run),
        "status": lambda _: health.health_of(here, NAME, now=datetime.now(UTC)),
    }
    return calls[step]


def _notify(here: Deployment, day: str, run: str) -> None:
    notices = notifying.due(here, NAME, [day], now=datetime.now(UTC))
    notifying.send_notices(here, notices, lambda _: None, channel="log", run=run)


def _ask(here: Deployment, day: str, run: str) -> None:
    for action in ("retrain", "recalibrate"):
        training_request.ask(here, NAME, day, action=action, run=run, now=datetime.now(UTC))

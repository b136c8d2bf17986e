"""Promotion and rollback, killed before each side effect while a reader loads the champion.

    python -m benchmarks.operation promotion

For n = 1, 2, ... a process is ended by SIGKILL right before its n-th write to registry or tables,
until one survives. After each kill the same is run again, and everything that it should have done
is compared with an undisturbed run.
"""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from benchmarks.operation import victim
from benchmarks.operation.rows import Row
from benchmarks.operation.victim import Answer, Ground

_PRELOADED = (
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "pipeline.steps.promotion",
    "pipeline.steps.rollback",
    "pipeline.steps.rescoring",
    "pipeline.steps.live",
    "benchmarks.operation.victim",
)
_MOST_WRITES = 60
_PATIENCE_S = 300
_PAUSE_S = 0.1  # SQLite lets nobody write while somebody reads


@dataclass
class PromotionTally:
    """The results of one drill.

    Attributes:
        name: the change of champion.
        kills: processes ended, one before each write.
        reads: times that the reader loaded the champion meanwhile.
        mixed: of those, the ones that were no existing version.
        broken: kills after which the next run left something undone, described.
    """

    name: str
    kills: int = 0
    reads: int = 0
    mixed: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was ever mixed, and every kill was repaired."""
        return self.kills > 0 and self.reads > 0 and not self.mixed and not self.broken


def measure() -> list[Row]:
    """The drills, one row each, and whether flags come back to the bit."""
    with tempfile.TemporaryDirectory(prefix="plimsoll-drill-") as scratch:
        drill = Drill(Path(scratch))
        tallies = [
            drill.run("promotion, another network", "base", _promote_3),
            drill.run("promotion, another threshold", "base", _promote_2),
            drill.run("rollback with rescoring", "live-3", _roll_back),
        ]
        same = drill.flags_come_back()
    return [*map(_row, tallies), same]


class Drill:
    """Prepared states of one plant, and the processes that work on copies of them."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.context: ForkServerContext = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(_PRELOADED))
        self.home = scratch / "home"
        self.home.mkdir()
        base = Ground(scratch / "base", self.home)
        base.folder.mkdir()
        self._do(base, victim.prepare, base)
        after = self._copy("base", "live-3")
        self._do(after, _promote_and_score, after.folder)
        self.known = [self._answered(base, victim.look), self._answered(after, victim.look)]
        two = self._copy("base", "live-2")
        self._do(two, _promote_2, two.folder)
        self.known.append(self._answered(two, victim.look))

    def run(self, name: str, start: str, change: Callable[[Path], None]) -> PromotionTally:
        """Kill `change` before each write, starting from a copy of the state `start`."""
        tally = PromotionTally(name)
        whole = self._copy(start, "undisturbed")
        self._do(whole, change, whole.folder)
        wanted = self._answered(whole, victim.state)
        for n in count(1):
            ground = self._copy(start, f"kill-{n}")
            with self._reader(ground, tally):
                killed = self._start(ground, _dying, n, change, ground.folder)
                if killed.exitcode != -signal.SIGKILL:
                    return tally
                tally.kills += 1
                again = self._answered(ground, _run_again, change, ground.folder)
                tally.broken += _differences(n, wanted, again)
            shutil.rmtree(ground.folder)
            if n > _MOST_WRITES:
                msg = f"{name}: still writing after {n} writes; the drill cannot end."
                raise RuntimeError(msg)
        return tally

    def flags_come_back(self) -> Row:
        """Golden flags and stored scores before a promotion, and after the rollback from it."""
        base = self._answered(Ground(self.scratch / "base", self.home), victim.state)
        between = self._answered(Ground(self.scratch / "live-3", self.home), victim.state)
        ground = self._copy("live-3", "back")
        self._do(ground, _roll_back, ground.folder)
        back = self._answered(ground, victim.state)
        same = all(base[key] == back[key] for key in ("flags", "scores", "live"))
        other = base["scores"] != between["scores"]
        return Row(
            "promotion",
            "flags on a golden set bit-identical after rollback",
            "identical, as are all stored scores" if same else "different",
            same and other,
            "golden rows and rows spread far around them; the version between scored otherwise",
        )

    def _copy(self, start: str, name: str) -> Ground:
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.scratch / start, folder)
        return Ground(folder, self.home)

    @contextmanager
    def _reader(self, ground: Ground, tally: PromotionTally) -> Iterator[None]:
        """A process that loads the champion again and again."""
        answers, stop = self.context.Queue(), self.context.Event()
        reader = self.context.Process(target=_read, args=(ground, stop, answers), daemon=True)
        reader.start()
        try:
            yield
        finally:
            stop.set()
            seen = answers.get(timeout=_PATIENCE_S)
            reader.join()
        tally.reads += sum(times for _, times in seen)
        tally.mixed += sum(times for look, times in seen if look not in self.known)

    def _start(self, ground: Ground, work: Callable[..., Any], *given: Any) -> Any:
        process = self.context.Process(target=_entered, args=(ground, work, given))
        process.start()
        process.join(_PATIENCE_S)
        return process

    def _do(self, ground: Ground, work: Callable[..., Any], *given: Any) -> None:
        code = self._start(ground, work, *given).exitcode
        if code != 0:
            msg = f"{work.__name__} ended with {code}; see its traceback above."
            raise RuntimeError(msg)

    def _answered(self, ground: Ground, ask: Callable[..., Answer], *given: Any) -> Answer:
        answers = self.context.Queue()
        process = self.context.Process(target=_answer, args=(ground, ask, given, answers))
        process.start()
        found: Answer = answers.get(timeout=_PATIENCE_S)
        process.join()
        return found


def _entered(ground: Ground, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    ground.enter()
    _quiet()
    work(*given)


def _answer(
    ground: Ground, ask: Callable[..., Answer], given: tuple[Any, ...], answers: Any
) -> None:
    ground.enter()
    _quiet()
    answers.put(ask(*given))


def _dying(write: int, change: Callable[[Path], None], folder: Path) -> None:
    victim.die_before(write)
    change(folder)


def _run_again(change: Callable[[Path], None], folder: Path) -> Answer:
    """The next run of a change, and the state after it."""
    change(folder)
    return victim.state()


def _read(ground: Ground, stop: Any, answers: Any) -> None:
    """Load the champion until `stop`; returns what was seen, and how often."""
    ground.enter()
    _quiet()
    began = time.monotonic()
    seen: list[tuple[Answer, int]] = []
    while True:
        look = victim.look()
        times = next((n for known, n in seen if known == look), 0)
        seen = [(known, n) for known, n in seen if known != look] + [(look, times + 1)]
        time.sleep(_PAUSE_S)
        if stop.is_set() or time.monotonic() > began + _PATIENCE_S:
            answers.put(seen)
            return


def _promote_2(folder: Path) -> None:
    victim.promote_version(folder, "2")


def _promote_3(folder: Path) -> None:
    victim.promote_version(folder, "3")


def _promote_and_score(folder: Path) -> None:
    victim.promote_version(folder, "3")
    victim.score()


def _roll_back(_folder: Path) -> None:
    victim.roll_back()


def _quiet() -> None:
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _differences(n: int, wanted: Answer, got: Answer) -> list[str]:
    return [f"kill {n}: {key} is {got[key]}" for key in wanted if got[key] != wanted[key]]


def _row(tally: PromotionTally) -> Row:
    got = f"{tally.kills} kills, {len(tally.broken)} not repaired; {tally.reads} reads, "
    return Row(
        "promotion",
        f"{tally.name}: SIGKILL before every write, repaired by the next run; no mixed version",
        f"{got}{tally.mixed} mixed",
        tally.good,
        "; ".join(tally.broken[:3]),
    )

"""Send events in a thread beside the task: a backend that is slow or down costs it nothing.

One thread a process builds and sends the events in their order. A job that ends waits for them a
moment and no longer; what could not be sent by then is one warning in the log.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from pathlib import Path

import structlog

from pipeline import settings
from pipeline.lineage.journal import JobEvent

WAIT_S = 2.0
"""Longest wait of an ending job for its events; two orders below the shortest time limit."""

_WAITING_MOST = 256  # events that one process may have in its queue

log = structlog.get_logger()


class _Sender:
    """A queue and the thread that empties it."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.failures: list[str] = []
        self.gave_up = False
        self._queue: queue.Queue[tuple[JobEvent, Path]] = queue.Queue(_WAITING_MOST)
        self._thread = threading.Thread(target=self._work, name="lineage", daemon=True)
        self._thread.start()

    def put(self, event: JobEvent, files: Path) -> None:
        try:
            self._queue.put_nowait((event, files))
        except queue.Full:
            self.failures.append(f"{_WAITING_MOST} events wait already")

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; returns whether all events were handled."""
        end = time.monotonic() + seconds
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._queue.all_tasks_done.wait(left)
        return True

    def _work(self) -> None:
        while True:
            event, files = self._queue.get()
            try:
                from pipeline.lineage.events import emit  # noqa: PLC0415 - half a second, in this thread

                emit(event, files)
            except Exception as error:  # noqa: BLE001 - a fault of the backend must not fail the task
                self.failures.append(f"{type(error).__name__}: {error}")
            finally:
                self._queue.task_done()


_sender: _Sender | None = None
_making = threading.Lock()


def is_off() -> bool:
    """Whether OpenLineage's own switch, OPENLINEAGE_DISABLED=true, is set."""
    return (settings.named("OPENLINEAGE_DISABLED") or "").strip().lower() == "true"


def send(event: JobEvent, files: Path) -> None:
    """Hand one event to the thread; `files`: the folder of events without another transport."""
    _of_this_process().put(event, files)


def finish() -> None:
    """Wait a moment for the events of a job; log a warning if not all could be sent."""
    sender = _of_this_process()
    # Once is enough: the next job of this process would wait for the same dead backend.
    in_time = sender.wait(0 if sender.gave_up else WAIT_S)
    sender.gave_up = not in_time
    failures, sender.failures = sender.failures, []
    if not in_time:
        failures.append(f"no answer within {WAIT_S:g} s")
    if failures:
        log.warning("lineage_not_sent", reason=failures[-1], failures=len(failures))


def _of_this_process() -> _Sender:
    """The sender; a new one after a fork, which leaves threads behind."""
    global _sender  # noqa: PLW0603 - one thread a process is the point
    with _making:
        if _sender is None or _sender.process != os.getpid():
            _sender = _Sender()
        return _sender

"""The progress of the demo: one line for each step with the time so far, without long silences."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.airflow_api import TaskState

LONGEST_SILENCE_S = 10.0
_SHOWN_STATES = {"running", "success", "failed", "skipped", "upstream_failed", "up_for_retry"}


class Progress:
    """Prints lines with the seconds since its creation, and again when a step takes long."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spoke = self._began
        self._lock = threading.Lock()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            self._spoke = time.monotonic()
            print(f"[{self.elapsed_s:4.0f} s] {text}", flush=True)

    def headline(self, text: str) -> None:
        """Print the title of a chapter."""
        print(flush=True)
        self.say(text)

    def task(self, task: TaskState) -> None:
        """Print the state of a task."""
        if task.state not in _SHOWN_STATES:
            return
        took = f"  {task.duration_s:.1f} s" if task.state != "running" and task.duration_s else ""
        self.say(f"    {task.task_id:<10} {task.state}{took}")

    def runs(self, states: Counter[str]) -> None:
        """Print the number of runs of a backfill by state."""
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        self.say(f"    {counts}")

    @contextmanager
    def patience(self, what: str) -> Iterator[None]:
        """While the context lasts, print what is awaited after every long silence."""
        done = threading.Event()
        watcher = threading.Thread(target=self._break_silence, args=(what, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _break_silence(self, what: str, done: threading.Event) -> None:
        began = time.monotonic()
        while not done.wait(1.0):
            if time.monotonic() - self._spoke > LONGEST_SILENCE_S:
                self.say(f"    ... {what}, {time.monotonic() - began:.0f} s so far")

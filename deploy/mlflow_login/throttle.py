"""A limit for guesses of the login."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from deploy.mlflow_login.credentials import digest

GUESSES = 10
WINDOW_S = 60.0


class Throttle:
    """At most `GUESSES` different wrong logins in `WINDOW_S` seconds; then everybody waits.

    Not by address: on the loopback interface and behind a proxy all have the same one. The same
    wrong login counts once, so that a program with an old password locks nobody out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[bytes, float] = OrderedDict()

    def wait_s(self) -> int:
        """Seconds until a login is checked again; 0: now."""
        now = self._clock()
        while self._wrong and (oldest := next(iter(self._wrong.values()))) <= now - WINDOW_S:
            self._wrong.popitem(last=False)
        return math.ceil(oldest + WINDOW_S - now) if len(self._wrong) >= GUESSES else 0

    def note_wrong(self, login: bytes) -> bool:
        """Record a wrong login; returns whether it is a new one."""
        seen = digest(login)
        new = seen not in self._wrong
        self._wrong[seen] = self._clock()
        self._wrong.move_to_end(seen)
        return new

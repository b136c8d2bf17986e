from __future__ import annotations

import pytest

from deploy.mlflow_login.throttle import GUESSES, WINDOW_S, Throttle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


def guess(throttle: Throttle, clock: Clock, *, seconds: float, times: int) -> int:
    """How many of so many different guesses, evenly spread, were looked at."""
    looked_at = 0
    for n in range(times):
        clock.now += seconds / times
        if not throttle.wait_s():
            throttle.note_wrong(b"guess %d" % n)
            looked_at += 1
    return looked_at


def test_an_hour_of_guessing_gets_no_more_than_so_many_a_minute(throttle: Throttle, clock: Clock):
    assert guess(throttle, clock, seconds=3600, times=20_000) <= GUESSES * (3600 / WINDOW_S + 1)


def test_it_holds_no_more_than_it_needs_however_many_guess(throttle: Throttle, clock: Clock):
    guess(throttle, clock, seconds=1, times=5_000)

    assert len(throttle._wrong) == GUESSES


def test_waiting_as_long_as_it_says_is_enough(throttle: Throttle, clock: Clock):
    guess(throttle, clock, seconds=5, times=GUESSES)

    clock.now += throttle.wait_s() - 1
    assert throttle.wait_s() == 1
    clock.now += 1
    assert throttle.wait_s() == 0


def test_a_program_with_an_old_password_keeps_nobody_out(throttle: Throttle):
    assert [throttle.note_wrong(b"old") for _ in range(100)] == [True] + [False] * 99
    assert throttle.wait_s() == 0

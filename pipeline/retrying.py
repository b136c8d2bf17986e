"""Work that another writer came before, tried again: one policy for all tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import RetryCallState, RetryError, Retrying
from tenacity.retry import retry_if_exception_type
from tenacity.stop import stop_after_attempt
from tenacity.wait import wait_random_exponential

from pipeline.errors import OutageError

ATTEMPTS = 12
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 3.2

log = structlog.get_logger()

Result = TypeVar("Result")


def retried(work: Callable[[], Result], *, on: type[Exception], lost: str) -> Result:
    """The result of `work`, which is done again as long as it raises `on`.

    The waits between are random, so that writers who met once do not meet again, and grow: the
    first is 0.1 s at most and each may be twice as long as the one before, up to 3.2 s.

    Args:
        work: what to do; all of it is repeated.
        on: what it raises when another writer came first.
        lost: what to tell people when that happened ATTEMPTS times in a row, with the fix.

    Raises:
        OutageError: others came first ATTEMPTS times; the message is `lost`.
    """
    policy = Retrying(
        retry=retry_if_exception_type(on),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S),
        before_sleep=_note,
    )
    try:
        return policy(work)
    except RetryError as error:
        raise OutageError(lost) from error.last_attempt.exception()


def _note(state: RetryCallState) -> None:
    why = state.outcome.exception() if state.outcome else None
    log.info("another_writer_came_first", attempt=state.attempt_number, why=str(why))

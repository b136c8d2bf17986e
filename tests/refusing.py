"""What a check is refused with, for tests in which it passes."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import PlimsollError


def refusal(check: Callable[[], object]) -> PlimsollError | None:
    """The error that `check` raises; None where it passes."""
    try:
        check()
    except PlimsollError as error:
        return error
    return None

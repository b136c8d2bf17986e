"""Steps as OpenLineage jobs: `<detector>.<verb>`, one run for each attempt."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

from pipeline import log_context
from pipeline.lineage import sending
from pipeline.lineage.journal import JobEvent, Verb, kept

P = ParamSpec("P")
R = TypeVar("R")

_MESSAGE_CHARACTERS = 4_000  # of an error; a day's report can be longer than a backend accepts


def job(verb: Verb) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate the step that does `verb`: START when it begins, COMPLETE or FAIL when it ends."""
    return _decorator(verb, only_failure=False)


def stage(verb: Verb) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a step on the way to `verb`: silent, unless it fails; then START and FAIL."""
    return _decorator(verb, only_failure=True)


def _decorator(verb: Verb, *, only_failure: bool) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def decorate(step: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(step)

        @functools.wraps(step)
        def reporting(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            with _attempt(verb, given, only_failure=only_failure):
                return step(*args, **kwargs)

        return reporting

    return decorate


@contextmanager
def _attempt(verb: Verb, given: dict[str, Any], *, only_failure: bool) -> Iterator[None]:
    if sending.is_off():
        yield
        return
    here, subject, *_ = given.values()
    about = (
        str(uuid4()),
        _detector_of(subject),
        verb,
        str(given.get("run") or log_context.bound("run")),
        log_context.bound("partition"),
    )
    began = JobEvent("START", datetime.now(UTC), *about)
    if not only_failure:
        sending.send(began, here.lineage)
    with kept() as journal:
        try:
            yield
        # BaseException, as a time limit and a termination are no `Exception`.
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"[:_MESSAGE_CHARACTERS]
            failed = JobEvent(
                "FAIL", datetime.now(UTC), *about, journal.inputs, journal.outputs, message
            )
            for event in (began, failed) if only_failure else (failed,):
                sending.send(event, here.lineage)
            sending.finish()
            raise
    if not only_failure:
        sending.send(
            JobEvent("COMPLETE", datetime.now(UTC), *about, journal.inputs, journal.outputs),
            here.lineage,
        )
        sending.finish()


def _detector_of(subject: Any) -> str:
    """The detector, from what a step is given after the deployment.

    That is the detector's name, or the record of the task before.
    """
    if isinstance(subject, str):
        return subject
    return str(subject.get("detector") or subject["candidate"]["detector"])

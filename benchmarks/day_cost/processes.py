"""A call in a process of its own that has imported its modules already, as Airflow's tasks are."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import structlog

_PRELOADED = (
    "benchmarks.day_cost.day",
    "benchmarks.day_cost.plant",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "pipeline.detector.training.fit",
    "psycopg2.extras",
)


def in_a_process(call: Callable[..., Any], *args: Any) -> Any:
    """What `call` returns, from a fresh process.

    Raises:
        SystemExit: it died.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(theirs, call, *args))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        child.join()
        msg = f"{call} of {args} died with {child.exitcode}"
        raise SystemExit(msg) from None
    finally:
        child.join()


def _answer(back: Connection, call: Callable[..., Any], *args: Any) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    back.send(call(*args))

"""Airflow's `@task`, typed as a DAG reads: a call stands for the value that its function returns.

So mypy checks that each task is given what the one before it makes. While a DAG is parsed the call
returns a reference to that value; Airflow replaces it before the function runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from airflow.sdk import chain
from airflow.sdk import task as airflow_task

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class TypedTask(Protocol[P, R_co]):
    """A function that Airflow runs as a task."""

    @property
    def function(self) -> Callable[P, R_co]:
        """The function itself, for tests."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Add the task to the DAG that is being made."""

    def override(self, **options: Any) -> TypedTask[P, R_co]:
        """The same task with other options, as Airflow has them."""

    def partial(self, **arguments: Any) -> Any:
        """The task with some arguments, to be mapped over others."""

    def expand(self, **arguments: Any) -> Any:
        """The task, mapped over each element of `arguments`."""

    def expand_kwargs(self, arguments: Any) -> Any:
        """The task, mapped over a list of arguments."""


def task(**options: Any) -> Callable[[Callable[P, R]], TypedTask[P, R]]:
    """Decorate a function that Airflow runs as a task; `options` are those of Airflow's `@task`."""
    # Airflow would store each key of a mapping as an XCom of its own, too.
    made = airflow_task(multiple_outputs=False, **options)
    return cast("Callable[[Callable[P, R]], TypedTask[P, R]]", made)


def in_order(*tasks: object) -> None:
    """Let each of `tasks` wait for the one before it; a list stands side by side."""
    chain(*cast("tuple[Any, ...]", tasks))

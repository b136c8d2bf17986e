"""One call of `run`: whose, when and by whom, and what its exit code means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline.dag_ids import command_line_run
from pipeline.settings import Deployment

DONE, NO = 0, 1
"""Exit codes: done; the answer is no, or a day is blocked, failed or not scored."""


@dataclass(frozen=True)
class Job:
    """One call of `run`.

    Attributes:
        here: the deployment.
        detector: whose.
        step: which of its DAGs it stands for.
        started: when.
        author: the person at the shell, for the ledger.
        say: prints a line.
    """

    here: Deployment
    detector: str
    step: str
    started: datetime
    author: str
    say: Callable[[str], None]

    @property
    def run(self) -> str:
        """The run as the tables and the ledger name it, in the place of a DAG run."""
        return command_line_run(self.detector, self.step, self.started)

    @property
    def who(self) -> str:
        """The person and the run."""
        return f"{self.author} in {self.run}"


def span_of(days: list[str]) -> str:
    """`days` as a line names them."""
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"

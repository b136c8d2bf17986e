"""The pumping station under the full stack's watch: its data on S3, its tasks on workers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline import settings, staging, tables
from pipeline.registry import promotion, versions
from pipeline.registry.connection import connect
from pipeline.tables import Table
from tests import ledger_entries
from tests.integration.plant import day_after, make_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from deploy.airflow_api import AirflowApi, RunResult
    from pipeline.ledger import Entry
    from pipeline.registry.versions import Version
    from pipeline.tables.schemas import TableName
    from tests.stack.running import Stack

PATIENCE_S = 600.0
_POLL_S = 0.2


@dataclass(frozen=True)
class Attempt:
    """A task instance by Airflow's API; `worker` is the container that runs it."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    worker: str


@dataclass(frozen=True)
class CloudStation:
    """One detector of the station."""

    name: str
    stack: Stack
    airflow: AirflowApi

    def deliver(self, days: Iterable[int]) -> None:
        """Put days where the source looks for them."""
        for n in days:
            table = pa.Table.from_pandas(make_day(n), preserve_index=False)
            staging.write_table(f"s3://lake/sources/station/{day_after(n)}.parquet", table)

    def wake(self, *verbs: str) -> None:
        """Let the scheduler run these DAGs."""
        for verb in verbs:
            self.airflow.wait_for_dag(f"{self.name}__{verb}", limit_s=PATIENCE_S)
            self.airflow.unpause(f"{self.name}__{verb}")

    def begin(self, verb: str, **how: Any) -> str:
        """Start a run of `<name>__<verb>` by hand; its id."""
        return self.airflow.trigger(f"{self.name}__{verb}", **how)

    def end(self, verb: str, run: str, *, limit_s: float = PATIENCE_S) -> RunResult:
        """The run once it is finished."""
        return self.airflow.wait_for_run(f"{self.name}__{verb}", run, limit_s=limit_s)

    def run(self, verb: str, *, limit_s: float = PATIENCE_S, **how: Any) -> RunResult:
        """One run by hand, finished."""
        return self.end(verb, self.begin(verb, **how), limit_s=limit_s)

    def begin_load(self, first: int, last: int, **how: Any) -> str:
        """Begin to load and score days by number, both included."""
        span = {"from_day": str(day_after(first)), "to_day": str(day_after(last))}
        return self.begin("load", conf=span | how)

    def load(self, first: int, last: int) -> RunResult:
        """Load and score days by number, both included."""
        return self.end("load", self.begin_load(first, last))

    def train(self, as_of: date) -> RunResult:
        return self.run("train", conf={"as_of": as_of.isoformat()})

    def attempts(self, verb: str, run: str) -> list[Attempt]:
        """The task instances of a run as they are now."""
        path = f"dags/{self.name}__{verb}/dagRuns/{run}/taskInstances"
        found = self.airflow.request("GET", path, limit=100)["task_instances"]
        return [
            Attempt(t["task_id"], t["map_index"], t["state"], t["try_number"], t["hostname"] or "")
            for t in found
        ]

    def wait_for_running(self, verb: str, run: str, task: str) -> Attempt:
        """The first instance of `task` that runs, as soon as it does."""
        return self._wait_for(verb, run, lambda attempt: attempt.task_id == task)

    def wait_for_try(
        self, verb: str, run: str, task: str, map_index: int, *, number: int
    ) -> Attempt:
        """An instance of `task` as soon as it runs for the time `number`."""
        wanted = (task, map_index, number)
        return self._wait_for(
            verb, run, lambda seen: (seen.task_id, seen.map_index, seen.try_number) == wanted
        )

    def numbers(self) -> list[int]:
        """The registered versions."""
        return [each.number for each in versions.every(connect(settings.load()), self.name)]

    def table(self, name: TableName, **span: Any) -> pd.DataFrame:
        return tables.read(self._table(name), keep_date=True, **span)

    def champion(self) -> Version | None:
        return versions.by_alias(connect(settings.load()), self.name, promotion.CHAMPION)

    def ledger(self) -> list[Entry]:
        return ledger_entries.entries(settings.load(), self.name)

    def log(self, run: RunResult, task_id: str, map_index: int = -1) -> str:
        """Everything a task's first try logged, from where the UI reads it."""
        path = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/logs/1"
        answer = self.airflow.request("GET", path, map_index=map_index, full_content="true")
        return str(answer["content"])

    def _wait_for(self, verb: str, run: str, wanted: Callable[[Attempt], bool]) -> Attempt:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for attempt in self.attempts(verb, run):
                if wanted(attempt) and attempt.state == "running" and attempt.worker:
                    return attempt
            time.sleep(_POLL_S)
        raise AssertionError(f"it never ran: {self.attempts(verb, run)}")

    def _table(self, name: TableName) -> Table:
        return Table(settings.load().storage, self.name, name)

"""The pumping station under watch: the real stack, and what a test wants to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.embedded.backfill import create_backfill, wait_for_backfill
from pipeline import settings, tables
from pipeline.registry import promotion, versions
from pipeline.registry.connection import connect
from pipeline.tables import Table
from tests import ledger_entries

if TYPE_CHECKING:
    from collections import Counter

    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from deploy.airflow_api import AirflowApi, RunResult
    from pipeline.ledger import Entry
    from pipeline.registry.versions import Version
    from pipeline.tables.schemas import TableName
    from tests.integration.conftest import RunningStack


@dataclass(frozen=True)
class Station:
    """A detector of the station on a running stack; the environment of this process reaches it."""

    name: str
    running: RunningStack

    @property
    def airflow(self) -> AirflowApi:
        return self.running.airflow

    @property
    def mlflow(self) -> MlflowClient:
        return connect(settings.load())

    @property
    def data(self) -> Path:
        return self.running.stack.layout.data

    @property
    def detectors(self) -> Path:
        return self.running.stack.layout.detectors

    def ingest(self, **how: Any) -> RunResult:
        run = self.airflow.trigger(f"{self.name}__ingest", **how)
        return self.airflow.wait_for_run(f"{self.name}__ingest", run)

    def run(self, verb: str, **how: Any) -> RunResult:
        """One run by hand of the DAG `<name>__<verb>`, once it is finished."""
        dag_id = f"{self.name}__{verb}"
        return self.airflow.wait_for_run(dag_id, self.airflow.trigger(dag_id, **how))

    def train(self, as_of: date) -> RunResult:
        return self.airflow.wait_for_run(f"{self.name}__train", self.begin_training(as_of))

    def begin_training(self, as_of: date) -> str:
        return self.airflow.trigger(f"{self.name}__train", conf={"as_of": as_of.isoformat()})

    def backfill(self, verb: str, first: date, last: date, **how: Any) -> Counter[str]:
        backfill = create_backfill(self.airflow, f"{self.name}__{verb}", first, last, **how)
        return wait_for_backfill(self.airflow, backfill, limit_s=300)

    def table(self, name: TableName, **span: Any) -> pd.DataFrame:
        return tables.read(self._table(name), keep_date=True, **span)

    def table_version(self, name: TableName) -> int | None:
        return tables.current_version(self._table(name))

    def champion(self) -> Version | None:
        return versions.by_alias(self.mlflow, self.name, promotion.CHAMPION)

    def previous(self) -> Version | None:
        return versions.by_alias(self.mlflow, self.name, promotion.PREVIOUS)

    def versions(self) -> list[ModelVersion]:
        return list(self.mlflow.search_model_versions(f"name = '{self.name}'"))

    def runs(self) -> list[Run]:
        experiment = self.mlflow.get_experiment_by_name(self.name)
        assert experiment is not None
        return list(self.mlflow.search_runs([experiment.experiment_id]))

    def ledger(self) -> list[Entry]:
        return ledger_entries.entries(settings.load(), self.name)

    def log(self, run: RunResult, task_id: str, map_index: int = -1) -> str:
        """Everything a task's first try logged, stack traces included."""
        path = f"dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/logs/1"
        content = self.airflow.request("GET", path, full_content="true", map_index=map_index)
        return str(content["content"])

    def _table(self, name: TableName) -> Table:
        return Table(settings.load().storage, self.name, name)


def states(run: RunResult) -> dict[str, str | None]:
    """State by task."""
    return {task.task_id: task.state for task in run.tasks}


def group_states(run: RunResult, task_id: str) -> list[str | None]:
    """The state of each instance of a mapped task, in the order of its groups."""
    mine = [task for task in run.tasks if task.task_id == task_id]
    return [task.state for task in sorted(mine, key=lambda task: task.map_index)]


def tries(run: RunResult) -> dict[str, int]:
    """Number of tries by task."""
    return {task.task_id: task.try_number for task in run.tasks}

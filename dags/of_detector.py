"""Every DAG of one detector."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import DAG, get_parsing_context

from dags.ask import ask_dag
from dags.channel import channel_dag
from dags.housekeeping import housekeeping_dag
from dags.ingest import ingest_dag
from dags.label import label_dag
from dags.load import load_dag
from dags.recalibrate import recalibrate_dag
from dags.rollback import rollback_dag
from dags.score import score_dag
from dags.train import train_dag
from pipeline import settings
from pipeline.config import SUFFIX, DetectorSpec, load_detector, readable_name
from pipeline.dag_ids import dag_id

VERBS: dict[str, Callable[[DetectorSpec], DAG]] = {
    "ingest": ingest_dag,
    "load": load_dag,
    "score": score_dag,
    "train": train_dag,
    "recalibrate": recalibrate_dag,
    "rollback": rollback_dag,
    "ask": ask_dag,
    "label": label_dag,
    "channel": channel_dag,
    "housekeeping": housekeeping_dag,
}


def dags_of(name: str) -> dict[str, DAG]:
    """The DAGs of detector `name`, by DAG id; in a task's own process only the task's DAG.

    Raises:
        ConfigError: the detector file is wrong; Airflow shows it as an import error.
    """
    return dags_of_file(f"{name}{SUFFIX}")


def dags_of_file(name: str) -> dict[str, DAG]:
    """As `dags_of`, by the name of the detector file.

    Raises:
        ConfigError: it is not a detector file, or is wrong.
    """
    spec = load_detector(readable_name(settings.load().detectors / name))
    wanted = get_parsing_context().dag_id
    makers = {dag_id(spec.name, verb): make for verb, make in VERBS.items()}
    return {name: make(spec) for name, make in makers.items() if wanted in (None, name)}

"""The MLflow button: a link from a task to the MLflow page of its run or version.

A global link, so it needs no operator of our own: tasks leave the address in an XCom, and the API
server reads it when the task is shown. It imports little, because every Airflow component loads the
plugins folder.
"""

from __future__ import annotations

from airflow.models.xcom import XComModel
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.types import TaskInstanceKey
from airflow.utils.session import create_session

from pipeline.registry.pages import MLFLOW_PAGE


class MlflowLink(BaseOperatorLink):
    """A button that opens the task's MLflow page; greyed out without one."""

    name = "MLflow"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The address that the task left, or an empty string."""
        with create_session() as session:
            row = session.execute(
                XComModel.get_many(
                    key=MLFLOW_PAGE,
                    run_id=ti_key.run_id,
                    dag_ids=ti_key.dag_id,
                    task_ids=ti_key.task_id,
                    map_indexes=ti_key.map_index,
                    limit=1,
                )
            ).first()
            return str(XComModel.deserialize_value(row[0])) if row else ""


class PlimsollPlugin(AirflowPlugin):
    """Registers the button."""

    name = "plimsoll"
    global_operator_extra_links = [MlflowLink()]  # noqa: RUF012 - Airflow reads a plain class attribute

"""`<detector>__ask`: requests a training or a recalibration by the asset event that starts it.

A run of its own, because an event of a partitioned run carries its partition's key, and Airflow
3.3 lets such an event start partitioned DAGs only (`AssetManager`, checked on 3.3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import structlog
from airflow.sdk import DAG, Asset, Param, task

from dags import assets, forms
from dags.context import TaskValue, skip
from dags.defaults import detector_dag
from pipeline.config import DetectorSpec

log = structlog.get_logger()

Asked = Literal["retrain", "recalibrate"]

_ASSETS: dict[Asked, Callable[[str], Asset]] = {
    "retrain": assets.retraining,
    "recalibrate": assets.recalibration,
}

DOC = """
### A request about **{name}**: train, or recalibrate

The score DAG starts this when a week's drift verdict, or a new regime, calls for it: at most once
in {cooldown} days for each. A person may, too.

* `retrain` starts `{name}__train`, `recalibrate` starts `{name}__recalibrate`, each through an
  asset event that carries the as-of day and the reason. The other task is skipped.
* Both DAGs put their candidates through the gate as always; a request forces nothing live.
"""


@task
def request(
    detector: str, action: Asked, *, params: TaskValue = None, outlet_events: TaskValue = None
) -> None:
    """Emit the event that starts the DAG, if this action is requested."""
    if params["action"] != action:
        skip("not_requested", f"Requested is: {params['action']}.")
    log.info("requested", action=action, as_of=params["as_of"], reason=params["reason"])
    extra = {"as_of": params["as_of"], "reason": params["reason"]}
    outlet_events[_ASSETS[action](detector)].extra = extra


def ask_dag(spec: DetectorSpec) -> DAG:
    """The request DAG of one detector."""
    with detector_dag(
        spec,
        "ask",
        schedule=None,
        doc_md=DOC.format(name=spec.name, cooldown=spec.drift.cooldown_days),
        params={
            "action": Param(type="string", enum=list(_ASSETS), description="The requested action."),
            "as_of": forms.day("Read only days before this one. Empty: the default of the DAG."),
            "reason": Param(type="string", minLength=1, description="One sentence."),
        },
    ) as dag:
        for action, asset in _ASSETS.items():
            request.override(task_id=action, outlets=[asset(spec.name)])(spec.name, action)
    return dag

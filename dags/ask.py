"""`<detector>__ask`: requests a training or a recalibration by the asset event that starts it.

A run of its own, because an event of a partitioned run carries its partition's key, and Airflow
3.3 lets such an event start partitioned DAGs only (`AssetManager`, checked on 3.3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import structlog
from airflow.sdk import DAG, Asset, Param

from dags import assets, forms
from dags.context import TaskValue, skip
from dags.defaults import detector_dag
from dags.tasks import task
from pipeline.config import DetectorSpec

log = structlog.get_logger()

Asked = Literal["retrain", "recalibrate"]

_REQUESTS: dict[Asked, tuple[str, Callable[[str], Asset]]] = {
    "retrain": ("request_training", assets.retraining),
    "recalibrate": ("request_recalibration", assets.recalibration),
}
"""By action: the task that emits the request, and the asset by which it does."""

DOC = """
### A request about **{name}**: train, or recalibrate

The score DAG starts this when a week's drift verdict, or a new regime, calls for it: at most once
in {cooldown} days for each. A person may, too.

* `request_training` starts `{name}__train`, `request_recalibration` starts `{name}__recalibrate`,
  each by an asset event that carries the as-of day and the reason. The one that is not requested is
  skipped.
* Both DAGs put their candidates through the gate as always; a request forces nothing live.
"""


@task()
def emit_request(
    detector: str, action: Asked, *, params: TaskValue = None, outlet_events: TaskValue = None
) -> None:
    """Emit the event that starts the DAG, if this action is requested."""
    if params["action"] != action:
        skip("not_requested", f"Requested is: {params['action']}.")
    log.info("requested", action=action, as_of=params["as_of"], reason=params["reason"])
    extra = {"as_of": params["as_of"], "reason": params["reason"]}
    _, asset = _REQUESTS[action]
    outlet_events[asset(detector)].extra = extra


def ask_dag(spec: DetectorSpec) -> DAG:
    """The request DAG of one detector."""
    with detector_dag(
        spec,
        "ask",
        schedule=None,
        doc_md=DOC.format(name=spec.name, cooldown=spec.drift.cooldown_days),
        params={
            "action": Param(
                type="string", enum=list(_REQUESTS), description="The requested action."
            ),
            "as_of": forms.day("Read only days before this one. Empty: the default of the DAG."),
            "reason": Param(type="string", minLength=1, description="One sentence."),
        },
    ) as dag:
        for action, (task_id, asset) in _REQUESTS.items():
            emit = emit_request.override(task_id=task_id, outlets=[asset(spec.name)])
            emit(spec.name, action)
    return dag

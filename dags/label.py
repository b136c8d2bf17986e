"""`<detector>__label`: a form in which a person labels a span of time or an incident.

One DAG for each detector file, run by hand only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param

from dags import forms
from dags.context import TaskValue, this_run
from dags.defaults import SIGNING_QUEUE, detector_dag
from dags.tasks import task
from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.shell import this_shell

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.labelling import RecordedLabel

DOC = """
### Label what **{name}** flagged: an incident, or a false alarm

Trigger this DAG and fill in its form: the id of an incident, as its notification shows it, **or**
a span of time and a machine; then the verdict.

* **incident**: these rows are used neither to train nor to estimate a threshold, and every later
  candidate must still catch the incident if the live version catches it.
* **normal**: a false alarm. Recalibration may count these rows as normal; they are still left out
  of training where the source itself reports a fault.

A later verdict overrules an earlier one on the same rows; neither is erased. Your name and the time
are recorded. A verdict counts for every training run and recalibration whose as-of day comes after
today, and changes nothing about runs of the past.

`{listed}` shows what waits for a label.

#### When `label` is red

The input is not valid: the log names the value, the limit and the fix. Nothing was recorded;
trigger the DAG again.
"""


@task(queue=SIGNING_QUEUE)
def label(detector: str, *, params: TaskValue = None) -> Payload[RecordedLabel]:
    """Record the verdict of the user who triggered this run."""
    from pipeline.data.label_request import Author, LabelRequest
    from pipeline.steps import labelling

    fields = {name: params.get(name) for name in ("incident", "start", "end", "entity")}
    answer = LabelRequest(verdict=params["verdict"], note=params["note"] or "", **fields)
    by = Author(forms.triggered_by(), datetime.now(UTC), this_run())
    return labelling.label(settings.load(), detector, answer, by)


def label_dag(spec: DetectorSpec) -> DAG:
    """The labelling DAG of one detector."""
    with detector_dag(
        spec,
        "label",
        schedule=None,
        doc_md=DOC.format(
            name=spec.name,
            listed=this_shell(settings.load()).plimsoll("label", spec.name, "--list"),
        ),
        params={
            "verdict": Param(
                type="string",
                enum=["incident", "normal"],
                values_display={
                    "incident": "incident: something was wrong",
                    "normal": "normal: a false alarm",
                },
                title="Verdict",
                description="Whether these rows were an incident.",
            ),
            "incident": Param(
                None,
                type=["null", "string"],
                title="Incident",
                description="Its id, from the notification. Then leave start, end and machine "
                "empty: they are known from the incident.",
            ),
            "start": forms.moment("Start", "First moment of the span, without an incident's id."),
            "end": forms.moment("End", "Last moment of the span, included."),
            **forms.machine(spec),
            "note": forms.note(),
        },
    ) as dag:
        label(spec.name)
    return dag

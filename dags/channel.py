"""`<detector>__channel`: a form in which a person decides about a channel that left its range.

One DAG for each detector file, run by hand only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Param

from dags import forms
from dags.context import TaskValue, this_run
from dags.defaults import SIGNING_QUEUE, SPAN_OF_GROUP, detector_dag
from dags.tasks import task
from pipeline import settings
from pipeline.config import DetectorSpec

if TYPE_CHECKING:
    from pipeline.records import Payload
    from pipeline.steps.channel_decision import RecordedDecision
    from pipeline.steps.scoring import ScoringOutcome

DOC = """
### Decide about a channel of **{name}** that left its training range

A channel that leaves its training range and stays away is muted in the score automatically, and is
unmuted when it returns. A person may decide otherwise:

* **accept**: the sensor was moved or recalibrated and this is its new level. It is scored, never
  muted automatically and not reported again.
* **mute**: leave it out of the score until somebody un-mutes it, whatever it shows.
* **unmute**: score it, whatever it shows; it is not muted automatically any more, but still
  reported when it leaves its range.

A decision is about the raw measurement and all features derived from it. Of two about the same
channel and machine the later one counts; neither is erased. Your name and the time are recorded.
`plan_rescore` then groups the days since the decision that were scored before it, and `rescore`
scores each group again.

#### When `record_decision` is red

The input is not valid: the log names the value, the limit and the fix. Nothing was recorded;
trigger the DAG again.
"""


@task(queue=SIGNING_QUEUE)
def record_decision(detector: str, *, params: TaskValue = None) -> Payload[RecordedDecision]:
    """Record the decision of the user who triggered this run."""
    from pipeline.data.label_request import Author
    from pipeline.steps import channel_decision

    return channel_decision.record_decision(
        settings.load(),
        detector,
        params["channel"],
        params["decision"],
        Author(forms.triggered_by(), datetime.now(UTC), this_run()),
        entity=params.get("entity"),
        since=params["since"],
        note=params["note"] or "",
    )


@task()
def plan_rescore(decided: Payload[RecordedDecision]) -> list[list[str]]:
    """Group the days that the decision is about."""
    from pipeline.steps import channel_decision

    return channel_decision.plan_rescore(settings.load(), decided)


@task(map_index_template=SPAN_OF_GROUP)
def rescore(detector: str, days: list[str]) -> ScoringOutcome:
    """Score the days of a group again."""
    from pipeline.steps import scoring

    return scoring.score_days(settings.load(), detector, days, run=this_run())


def channel_dag(spec: DetectorSpec) -> DAG:
    """The decision DAG of one detector."""
    with detector_dag(
        spec,
        "channel",
        schedule=None,
        doc_md=DOC.format(name=spec.name),
        params={
            "channel": Param(
                type="string",
                enum=list(spec.columns.features),
                title="Channel",
                description="The raw measurement.",
            ),
            "decision": Param(
                type="string",
                enum=["accept", "mute", "unmute"],
                values_display={
                    "accept": "accept: this is its new level",
                    "mute": "mute: leave it out of the score until un-muted",
                    "unmute": "unmute: score it whatever it shows",
                },
                title="Decision",
                description="What to do with the channel.",
            ),
            **forms.machine(spec),
            "since": forms.moment("Since", "First moment it is about. Empty: today, 00:00 UTC."),
            "note": forms.note(),
        },
    ) as dag:
        days = plan_rescore(record_decision(spec.name))
        rescore.partial(detector=spec.name).expand(days=days)
    return dag

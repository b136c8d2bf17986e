"""`<detector>__feature`: a form in which a person decides about a channel that left its range.

One DAG for each detector file, run by hand only.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, task

from dags import forms
from dags.context import Handed, this_run
from dags.defaults import SIGNING_QUEUE, SPAN_OF_GROUP, detector_dag
from pipeline.config import DetectorSpec

DOC = """
### Decide about a channel of **{name}** that left its training range

A channel that leaves the range it was trained on for good is muted in the score by itself, and
comes back by itself. A person may know better:

* **accept**: the sensor was moved or recalibrated and now measures like this. It is judged, never
  muted by itself and not reported again.
* **mute**: leave it out of the score until somebody un-mutes it, whatever it shows.
* **unmute**: judge it, whatever it shows; it is not muted by itself any more, but still reported
  when it leaves its range.

A decision is about the raw measurement and all features made of it. Of two about the same channel
and machine the later one counts; neither is erased. Your name and the time are recorded. `plan`
then puts the days since the decision that were scored before it into groups, and `rescore` scores
each of these again.

#### When `decide` is red

What was said cannot be meant: the log names the value, the limit and the mend. Nothing was
recorded; trigger the DAG again.
"""


@task(queue=SIGNING_QUEUE)
def decide(detector: str, *, params: Handed = None) -> Handed:
    """Record the decision of the user who triggered this run."""
    from pipeline.steps.people import deciding
    from pipeline.steps.people.answers import Author

    return deciding.decide(
        detector,
        params["channel"],
        params["decision"],
        Author(forms.triggered_by(), datetime.now(UTC), this_run()),
        entity=params.get("entity"),
        since=params["since"],
        note=params["note"] or "",
    )


@task
def plan(decided: Handed) -> Handed:
    """The days that the decision is about, in groups."""
    from pipeline.steps.people import deciding

    return deciding.days_to_rescore(decided)


@task(map_index_template=SPAN_OF_GROUP)
def rescore(detector: str, days: list[str]) -> Handed:
    """Score the days of a group again."""
    from pipeline.steps.operation import scoring

    return scoring.score_days(detector, days, run=this_run())


def feature_dag(spec: DetectorSpec) -> DAG:
    """The decision DAG of one detector."""
    with detector_dag(
        spec,
        "feature",
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
                    "accept": "accept: this is how it measures now",
                    "mute": "mute: leave it out of the score until un-muted",
                    "unmute": "unmute: judge it whatever it shows",
                },
                title="Decision",
                description="What to do with it.",
            ),
            **forms.machine(spec),
            "since": forms.moment("Since", "First moment it is about. Empty: today, 00:00 UTC."),
            "note": forms.note(),
        },
    ) as dag:
        days = plan(decide(spec.name))
        rescore.partial(detector=spec.name).expand(days=days)
    return dag

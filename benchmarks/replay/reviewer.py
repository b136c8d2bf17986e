"""A simulated reviewer, who labels by the rule that marks outages, a week late.

The rule knows three kinds of rows: an outage (`eval_incident`), a loss of availability in the farm
that it cannot pin on a turbine, and everything else, which it calls normal. It labels outages
and incidents that the detector raised; unclear ones it does not label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from pipeline.config import Columns
from pipeline.data.label import Label, Verdict
from pipeline.data.split import normal_rows
from pipeline.data.timeline import episodes, timeline_from
from pipeline.incidents import Incident

LATE = timedelta(days=7)
AUTHOR = "derived rule"


def outage_labels(frame: pd.DataFrame, columns: Columns) -> Iterator[Label]:
    """One label `incident` for each outage in `frame`."""
    if columns.incident is None:
        return
    marked = frame[columns.incident].to_numpy(dtype=bool)
    for outage in episodes(marked, timeline_from(frame, columns)):
        yield _label(outage.start, outage.end, outage.entity, "incident")


def answers(
    incidents: Sequence[Incident], frame: pd.DataFrame, columns: Columns
) -> Iterator[Label]:
    """One label `normal` for each of `incidents` without a row in `frame` that is anything else.

    One that touches an outage needs no answer: the label of the outage says which rows it was.
    """
    timeline = timeline_from(frame, columns)
    normal = normal_rows(frame, columns)
    order = np.argsort(timeline.time_ns, kind="stable")
    time_ns = timeline.time_ns[order]
    number = {name: place for place, name in enumerate(timeline.names)}
    for each in incidents:
        begin = np.searchsorted(time_ns, each.start.value, "left")
        end = np.searchsorted(time_ns, each.end.value, "right")
        rows = order[begin:end]
        own = rows[timeline.entity[rows] == number.get(each.entity, -1)]
        if len(own) and normal[own].all():
            yield _label(each.start, each.end, each.entity, "normal")


def known_by(labels: Sequence[Label], moment: datetime) -> list[Label]:
    """The labels that the reviewer has made by `moment`."""
    return [label for label in labels if label.created_at <= moment]


def _label(start: pd.Timestamp, end: pd.Timestamp, entity: str, verdict: Verdict) -> Label:
    last = end.to_pydatetime()
    return Label(
        start=start.to_pydatetime(),
        end=last,
        entity=entity or None,
        verdict=verdict,
        note="by the rule of facts on La Haute Borne",
        author=AUTHOR,
        created_at=last + LATE,
    )

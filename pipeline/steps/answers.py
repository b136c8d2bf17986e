"""A person's input, parsed into a label, or rejected with the reason and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date

import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.label import Label
from pipeline.data.label_request import Author, LabelRequest, Span, span_given
from pipeline.data.meaning import spans
from pipeline.errors import DataError
from pipeline.incidents import Incident
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.store.incidents import incident_days, incidents_between
from pipeline.store.telemetry import scan_telemetry, telemetry_days
from pipeline.store.upkeep import table_uri
from pipeline.tables.frames import frame_of

_OFFERED = 3


def label_from_request(
    here: Deployment, spec: DetectorSpec, answer: LabelRequest, by: Author
) -> Label:
    """The label for `answer`.

    Raises:
        DataError: it is not a valid label: the span ends before it starts or in the future, is
            longer than LONGEST, names an unknown machine, or holds no telemetry.
    """
    if answer.incident:
        start, end, entity = _span_of(here, spec, answer)
    else:
        start, end, entity = span_given(spec, answer)
    made = Label(start, end, entity, answer.verdict, answer.note, by.author, by.at, by.run)
    if telemetry_in(here, spec, made).empty:
        days = telemetry_days(here, spec.name)
        held = f"{days[0]} to {days[-1]}" if days else "nothing yet"
        msg = (
            f"{spec.name} has no telemetry of {entity or 'any machine'} from {start} to {end}, so "
            f"the label would cover no row; the table holds {held}. Correct the span, or ingest "
            "these days first."
        )
        raise DataError(msg)
    return made


def all_incidents(here: Deployment, spec: DetectorSpec, first: date, last: date) -> list[Incident]:
    """Incidents with rows on these days, and every flagged episode too short to be an incident."""
    counted = spec.incidents.model_copy(update={"minimum_rows": 1})
    short_ones_too = spec.model_copy(update={"incidents": counted})
    return incidents_between(here, short_ones_too, first, last)


def telemetry_in(here: Deployment, spec: DetectorSpec, span: Label) -> pd.DataFrame:
    """Time and entity of the telemetry rows that `span` covers.

    Raises:
        DataError: these rows were ingested when the time or the machine had another column.
    """
    columns = spec.columns
    first, last = span.start.date(), span.end.date()
    rows = frame_of(scan_telemetry(here, spec.name, first, last, columns=columns.row_key))
    for name in columns.row_key:
        if len(rows) and (name not in rows or rows[name].isna().any()):
            msg = (
                f"{table_uri(here, spec.name, 'telemetry')}: rows of {spans([first, last])} have "
                f"no column {name}; they were ingested before the detector file had it, so it is "
                "unknown which of them the label means. Ingest these days again with the load DAG, "
                "then label them."
            )
            raise DataError(msg)
    rows = rows.reindex(columns=columns.row_key)
    covered = rows[columns.timestamp].between(span.start, span.end)
    if span.entity is not None:
        covered &= rows[columns.entity] == span.entity
    return rows[covered]


def _span_of(here: Deployment, spec: DetectorSpec, answer: LabelRequest) -> Span:
    if answer.start or answer.end or answer.entity:
        msg = (
            f"incident {answer.incident} says already where and when; give either the incident or "
            "start, end and entity."
        )
        raise DataError(msg)
    days = incident_days(here, spec.name)
    found = all_incidents(here, spec, days[0], days[-1]) if days else []
    for each in found:
        if each.id == answer.incident:
            return each.start.to_pydatetime(), each.end.to_pydatetime(), each.entity or None
    listed = this_shell(here).plimsoll("label", spec.name, "--list")
    msg = (
        f"{spec.name} has no incident {answer.incident!r}; {_choice(str(answer.incident), found)}. "
        f"`{listed}` shows those that wait for an answer."
    )
    raise DataError(msg)


def _choice(given: str, found: Sequence[Incident]) -> str:
    """The ids nearest to `given`; without a near one the newest."""
    newest_first = [each.id for each in reversed(found)]
    begins = [each for each in newest_first if given.strip() and each.startswith(given.strip())]
    near = begins[:_OFFERED] or difflib.get_close_matches(given, newest_first, n=_OFFERED)
    if near:
        return f"the nearest: {', '.join(near)}"
    return f"newest: {', '.join(newest_first[:_OFFERED][::-1]) or 'none'}"

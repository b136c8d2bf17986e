"""Whether stored rows have the meaning that a reader needs, by the records of their ingestion.

A day that an earlier release ingested has no record of its meaning; it counts as fitting, and what
the table itself shows (an absent column, a machine without a name) is found by whoever reads the
rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import structlog

from pipeline.config import DetectorSpec
from pipeline.data.meaning import Meaning, Misfit, lacking, meaning_of, misfits, spans
from pipeline.settings import Deployment
from pipeline.store.ingestions import OnRecord, on_record

AGAIN = (
    "Ingest those days again with the load DAG. Where the source no longer has them, let the "
    "training window begin later (split.training_days), or give the file back what it said; "
    "source.rename maps what the source calls a column now."
)
"""The fix for rows that do not mean what the detector file says."""

log = structlog.get_logger()

Unfit = dict[date, tuple[Misfit, ...]]


_GONE = Misfit("rows", "none", "are gone from the table, although they were let in")


def unfit_days(here: Deployment, detector: str, needs: Meaning, days: Collection[date]) -> Unfit:
    """Those of `days` whose rows do not mean what is needed, oldest first, and what they lack."""
    if not days:
        return {}
    return unfit_of(on_record(here, detector, min(days), max(days)), needs, days)


def unfit_of(record: OnRecord, needs: Meaning, days: Collection[date]) -> Unfit:
    """As `unfit_days`, for records that were read already."""
    known = record.meanings
    found = {day: misfits(needs, known[day]) for day in sorted(set(days) & known.keys())}
    return {day: lacks for day, lacks in found.items() if lacks}


def lost_days(record: OnRecord, present: Collection[date], days: Collection[date]) -> Unfit:
    """Those of `days` that must have rows and are not `present`: the table has lost commits.

    Nothing else shows that a newest commit was deleted: the table then looks as it did before.
    """
    return dict.fromkeys(sorted(record.held & set(days) - set(present)), (_GONE,))


def fitting(here: Deployment, spec: DetectorSpec, days: Sequence[date]) -> list[date]:
    """Those of `days` whose rows mean what the detector file says; the others are logged."""
    unfit = unfit_days(here, spec.name, meaning_of(spec.columns), days)
    if unfit:
        log.warning("days_left_out", detector=spec.name, days=len(unfit), why=misfits_text(unfit))
    return [day for day in days if day not in unfit]


def misfits_text(unfit: Mapping[date, tuple[Misfit, ...]]) -> str:
    """`rows of 2026-01-01 to 2026-01-24 have no column pump (theirs is machine)`, and so on."""
    by_lack: dict[str, list[date]] = {}
    for day, lacks in unfit.items():
        by_lack.setdefault(lacking(lacks), []).append(day)
    return "; ".join(f"rows of {spans(days)} {lack}" for lack, days in by_lack.items())

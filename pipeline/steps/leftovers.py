"""Tables in the lake of detectors that no longer have a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.config import detector_files
from pipeline.errors import DataError
from pipeline.settings import Deployment
from pipeline.store.folders import detectors_in_lake
from pipeline.store.incidents import raised_parts
from pipeline.store.labels import labels_as_of
from pipeline.store.upkeep import tables_of
from pipeline.tables.schemas import TableName


@dataclass(frozen=True)
class Leftover:
    """The tables of a detector without a file.

    Attributes:
        detector: its name.
        tables: its tables, the ledger left out.
        open_incidents: parts of incidents, one a day and machine, that no label touches.
        fault: why its tables cannot be read; empty where they can.
    """

    detector: str
    tables: tuple[TableName, ...]
    open_incidents: int
    fault: str = ""


def leftovers(here: Deployment, *, now: datetime) -> list[Leftover]:
    """Detectors that have tables and no file, by name.

    Raises:
        OutageError: the store does not answer.
    """
    known = {path.stem for path in detector_files(here.detectors)}
    found = []
    for name in detectors_in_lake(here):
        if name in known:
            continue
        try:
            held = tables_of(here, name)
            if held:
                found.append(Leftover(name, held, _unanswered(here, name, now)))
        except DataError as error:  # a damaged table of one must not hide the others
            found.append(Leftover(name, (), 0, fault=str(error)))
    return found


def _unanswered(here: Deployment, detector: str, now: datetime) -> int:
    rows = raised_parts(here, detector, ["start", "end", "entity"])
    labels = labels_as_of(here, detector, now.astimezone(UTC))
    return sum(
        not any(
            label.start <= row["end"]
            and label.end >= row["start"]
            and label.entity in (None, row["entity"])
            for label in labels
        )
        for row in rows.to_dict("records")
    )

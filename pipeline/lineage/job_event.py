"""One event of a job, before it is one of OpenLineage's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipeline.lineage.journal import Dataset

State = Literal["START", "COMPLETE", "FAIL"]
Verb = Literal["ingest", "train", "gate", "recalibrate", "promote", "rollback", "score"]


@dataclass(frozen=True)
class JobEvent:
    """One event, before it is one of OpenLineage's.

    Attributes:
        state: what the run did.
        at: when it happened.
        attempt: id of the run, a UUID; another one for each attempt.
        detector: whose job it is.
        verb: the job.
        run: the DAG run, `dag/run`, that this run is part of; empty where there is none.
        partition: as in the log.
        inputs: datasets read.
        outputs: datasets written.
        error: what went wrong; empty unless it did.
    """

    state: State
    at: datetime
    attempt: str
    detector: str
    verb: Verb
    run: str
    partition: str
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    error: str = ""

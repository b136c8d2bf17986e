"""Removing a detector: what is deleted, in which order, and what stays.

First its file, so that nothing starts any more; then its DAGs and readings; then its tables. Each
step may be repeated, so an interrupted removal is simply run again. The ledger stays where it is,
and so do the registered versions: they prove what was live.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import structlog

from pipeline import staging
from pipeline.dag_ids import RETIRED, VERBS, dag_id
from pipeline.errors import ConfigError, DataError
from pipeline.locking import promotion_lock
from pipeline.metrics import postgres
from pipeline.scheduler import signed_in
from pipeline.settings import Deployment
from pipeline.steps.candidate import candidates_of
from pipeline.store.folders import (
    archive_folders,
    archive_for,
    delete_folders,
    detectors_in_lake,
    folders_of,
)
from pipeline.store.staged import folder_of
from pipeline.store.upkeep import OUTLIVING

Fate = Literal["keep", "archive", "delete"]

log = structlog.get_logger()


@dataclass(frozen=True)
class Removal:
    """The plan of a removal.

    Attributes:
        detector: its name.
        file: its detector file; None: it is gone already.
        dags: its DAGs in Airflow; None: Airflow cannot be asked from here.
        folders: folders in its part of the lake, the ledger left out.
        fate: what happens to these.
        archive: where they and a copy of the file go.
        ledger: whether it has one.
    """

    detector: str
    file: Path | None
    dags: tuple[str, ...] | None
    folders: tuple[str, ...]
    fate: Fate
    archive: str
    ledger: bool


def plan_removal(here: Deployment, detector: str, fate: Fate, *, now: datetime) -> Removal:
    """The plan of a removal. Changes nothing.

    Raises:
        ConfigError: there is no such detector.
        DataError: runs of it are at work.
        OutageError: the store or Airflow does not answer.
    """
    files = {path.stem: path for path in here.detectors.glob("*.yaml")}
    held = _held(here, detector)
    dags = _dags(here, detector)
    if not (detector in files or held or dags):
        raise ConfigError(no_such_detector(here, detector))
    return Removal(
        detector=detector,
        file=files.get(detector),
        dags=dags,
        folders=tuple(name for name in held if name != OUTLIVING),
        fate=fate,
        archive=archive_for(here, detector, now),
        ledger=OUTLIVING in held,
    )


def remove(here: Deployment, planned: Removal) -> None:
    """Carry out the plan, under the promotion lock.

    Raises:
        ConfigError: the detector file cannot be taken away; nothing was changed.
        OutageError: the store, Airflow or the metrics do not answer; begin again when they do.
    """
    detector = planned.detector
    with promotion_lock(here, detector):
        _take_file(planned)
        if planned.dags and here.stack is not None:
            with signed_in(here.stack.airflow) as airflow:
                for name in planned.dags:
                    airflow.delete(name)
        if here.database is not None:
            postgres.forget(here.database, detector)
        if planned.fate == "archive":
            archive_folders(here, detector, planned.folders, planned.archive)
        elif planned.fate == "delete":
            delete_folders(here, detector, planned.folders)
    log.info("detector_removed", detector=detector, tables=planned.fate)


def orphan_dags(detector: str) -> list[str]:
    """DAGs that Airflow may have of a detector, where it cannot be asked."""
    return [dag_id(detector, verb) for verb in (*VERBS, *RETIRED)]


def _take_file(planned: Removal) -> None:
    """Copy the file to the archive, then delete it: nothing starts any more."""
    if planned.file is None:
        return
    staging.write_text(f"{planned.archive}/{planned.file.name}", planned.file.read_text())
    try:
        planned.file.unlink()
    except OSError as error:
        staging.remove(planned.archive)
        msg = (
            f"{planned.file} cannot be taken away from here ({error.strerror or error}). Delete it "
            "where it can be written, and begin again. Nothing else was changed."
        )
        raise ConfigError(msg) from error


def _dags(here: Deployment, detector: str) -> tuple[str, ...] | None:
    if here.stack is None:
        return None
    with signed_in(here.stack.airflow) as airflow:
        if busy := airflow.at_work(detector):
            msg = (
                f"{len(busy)} runs of {detector} are at work, {busy[0]} for instance; wait until "
                "they have ended, or mark them as failed in Airflow."
            )
            raise DataError(msg)
        return tuple(airflow.dag_ids(detector))


def _held(here: Deployment, detector: str) -> tuple[str, ...]:
    """The folders that Plimsoll has written for `detector`: tables and staged files."""
    lake = f"{here.storage.rstrip('/')}/{detector}/"
    staged = (folder_of(here, detector), candidates_of(here, detector))
    return folders_of(here, detector, [uri.removeprefix(lake).partition("/")[0] for uri in staged])


def no_such_detector(here: Deployment, detector: str) -> str:
    """The message that a detector does not exist, with similar names."""
    files = {path.stem for path in here.detectors.glob("*.yaml")}
    known = files.union(detectors_in_lake(here))
    close = difflib.get_close_matches(detector, sorted(known), n=3)
    hint = f"; the nearest: {', '.join(close)}" if close else ""
    return (
        f"There is no detector {detector!r}: no file in {here.detectors}, no table in "
        f"{here.storage}{hint}."
    )

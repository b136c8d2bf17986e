"""A changed detector file compared with its tables and with the live version.

For `check`, which must work without any server: what does not answer soon is reported as not
compared, and nothing is created.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline import settings
from pipeline.config import DetectorSpec
from pipeline.data.meaning import meaning_of
from pipeline.errors import OutageError, PlimsollError
from pipeline.settings import Deployment
from pipeline.store.fits import AGAIN, misfits_text, unfit_days
from pipeline.store.telemetry import telemetry_columns, telemetry_days, telemetry_table
from pipeline.tables.kinds import kind_of

WAIT_S = 8.0
_SQLITE = "sqlite:///"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Compared:
    """The differences between a detector file and its past.

    Attributes:
        misfits: differences that do not fit, and what to do, a sentence each.
        remarks: comparisons that were not made, and changes that take effect later, likewise.
    """

    misfits: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def compared(here: Deployment, spec: DetectorSpec, *, wait_s: float = WAIT_S) -> Compared:
    """`spec` compared with its tables and its live version, if they answer within `wait_s` seconds.

    A detector without tables has no past. Never raises because a server does not answer.
    """
    try:
        with_tables = _within(wait_s, lambda: _beside_tables(spec, here))
    except PlimsollError as error:
        return Compared(remarks=(f"not compared with the tables under {here.storage}: {error}",))
    if with_tables is None:
        return Compared()
    try:
        with_live = _within(wait_s, lambda: _beside_live(spec, here))
    except PlimsollError as error:
        with_live = Compared(remarks=(f"not compared with the live version: {error}",))
    return Compared(
        with_tables.misfits + with_live.misfits, with_tables.remarks + with_live.remarks
    )


def _beside_tables(spec: DetectorSpec, here: Deployment) -> Compared | None:
    """None where the detector has no telemetry."""
    days = telemetry_days(here, spec.name)
    if not days:
        return None
    found = list(_of_columns(spec, telemetry_columns(here, spec.name)))
    window = days[-spec.split.training_days :]
    if unfit := unfit_days(here, spec.name, meaning_of(spec.columns), window):
        found.append(
            f"{misfits_text(unfit)}; they were ingested before the file said so, and training "
            f"refuses a mixture. {AGAIN}"
        )
    return Compared(misfits=tuple(found))


def _of_columns(spec: DetectorSpec, held: dict[str, str]) -> Iterator[str]:
    """Columns that the table cannot take, because it has another name or type for them."""
    lower = {name.lower(): name for name in held}
    for field in telemetry_table(None, spec.columns).schema:
        known = lower.get(field.name.lower())
        if known is not None and known != field.name:
            yield (
                f"the table has a column {known}, and {field.name} differs only in which letters "
                "are upper case, so ingestion will refuse it: write it as the table does "
                "(source.rename maps what the source calls it)."
            )
        elif known is not None and kind_of(held[known]) != kind_of(str(field.type)):
            yield (
                f"column {known} holds {kind_of(held[known])} in the table and would hold "
                f"{kind_of(str(field.type))}, so ingestion will refuse it: rename the new "
                "column, or start a new table under another detector name."
            )


def _beside_live(spec: DetectorSpec, here: Deployment) -> Compared:
    from pipeline.steps import live  # noqa: PLC0415 - 4 s, and a file without a past needs none
    from pipeline.steps.meaning import (  # noqa: PLC0415 - likewise
        against_file,
        fix,
        misfit_message,
        needs_of,
    )

    settings.refuse_nowhere(here)
    if here.mlflow_uri is None:
        raise settings.nobody_said(here)
    path = here.mlflow_uri.removeprefix(_SQLITE)
    if path != here.mlflow_uri and not Path(path).exists():
        # Connecting would create it.
        msg = "MLFLOW_TRACKING_URI names no server, and there is no file of MLflow's own either."
        raise OutageError(msg)
    version = live.champion_or_none(here, spec.name)
    if version is None:
        return Compared()
    if lacks := against_file(version, spec):
        return Compared(misfits=(f"{misfit_message(version, spec.name, lacks)}: {fix(spec.name)}",))
    needs, has = needs_of(version), meaning_of(spec.columns)
    new = sorted(set(has.units) - set(needs.units))
    new += [f"{name}_vs_peers" for name in sorted(set(has.compared) - set(needs.compared))]
    context = set(version.bundle.schema.context) ^ set(spec.columns.context_columns)
    changed = [f"{name} is new" for name in new]
    changed += [f"context of {name} changed" for name in sorted(context)]
    if not changed:
        return Compared()
    number = version.version.number
    remark = f"version {number} is live and goes on as it was trained; the next training will use: "
    return Compared(remarks=(f"{remark}{', '.join(changed)}.",))


def _within(wait_s: float, call: Callable[[], Result]) -> Result:
    """`call()`, or an OutageError; a call that hangs is abandoned and ends with the process."""
    outcome: list[Result] = []
    failure: list[Exception] = []

    def work() -> None:
        try:
            outcome.append(call())
        except Exception as error:  # noqa: BLE001 - it is raised or reported below
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(wait_s)
    if outcome:
        return outcome[0]
    if failure and isinstance(failure[0], PlimsollError):
        raise failure[0]
    why = type(failure[0]).__name__ if failure else f"no answer within {wait_s:.0f} s"
    msg = f"{why}; see that its server runs, and that this shell has the variables that reach it."
    raise OutageError(msg)

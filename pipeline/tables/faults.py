"""Errors of the storage library as our own, which name the cause and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    SchemaMismatchError,
    TableNotFoundError,
)

from pipeline.errors import DamagedFile, DataError, OutageError, PlimsollError, TableConflict
from pipeline.tables import snapshots
from pipeline.tables.damage import Damage, find_damage, log_is_gone
from pipeline.tables.kinds import kind_of

RUNBOOK = "docs/runbook.md, 'A damaged table'"

_COLOURS = re.compile(r"\x1b\[\d+m")  # deltalake colours its errors
_TWICE = "Duplicate field name (case-insensitive)"
_SILENT = re.compile(
    r"error sending request|connection (refused|reset|closed)|timed? ?out|dns error|"
    r"\b(403|429|500|502|503|504)\b|No space left|Permission denied|credential",
    re.IGNORECASE,
)
"""Messages of a store that does not answer, or refuses: the table's files need no check."""


@contextmanager
def explained(uri: str, version: int | None = None) -> Iterator[None]:
    """Turn what the storage library raises about the table at `uri` into errors with the fix.

    Raises:
        TableConflict: another writer changed the same days first.
        DamagedFile: a data file is gone or damaged.
        DataError: the log is damaged, there is no such `version`, or a column does not fit.
        OutageError: the store does not answer.
    """
    try:
        yield
    except (DeltaError, OSError, pa.ArrowException) as error:
        snapshots.forget(uri)
        meant = _meant(error, uri, version)
        if meant is None:
            raise
        raise meant from error
    except Exception as error:
        # The library has no class for it.
        if _TWICE not in str(error):
            raise
        msg = (
            f"{uri}: {shown(error)}. Names that differ only in which letters are upper case are "
            "one column for the table: write the name as the table does (source.rename maps what "
            "the source calls it now), or start a new table under another detector name."
        )
        raise DataError(msg) from error


def _meant(error: Exception, uri: str, version: int | None) -> PlimsollError | None:
    """Our error for one of the library; None where neither the table nor its store is the cause."""
    at, reason = uri if version is None else f"{uri} at version {version}", shown(error)
    if isinstance(error, CommitFailedError):
        return TableConflict(
            f"{at}: another writer changed the same days first ({reason}); read again, then write."
        )
    if isinstance(error, SchemaMismatchError) or "Cast error" in reason:
        return DataError(
            f"{at}: a column has another type than in the table ({reason}); rename the new column, "
            "or start a new table under another detector name."
        )
    if not _SILENT.search(reason) and (damage := _damage(uri, version)):
        return _damaged(uri, damage, version)
    if isinstance(error, pa.ArrowException) and not isinstance(error, OSError):
        return None  # the caller asked for something that is not there
    if version is not None:
        return DataError(
            f"{at} cannot be read ({reason}); choose a version that its history lists."
        )
    return OutageError(
        f"{at} does not answer ({reason}); check the storage root, its server and AWS_*."
    )


def opened_at(uri: str, version: int | None) -> DeltaTable | None:
    """The table; None where nobody has written it yet. Call it inside `explained`.

    Raises:
        DataError: days of data lie there without a log.
    """
    try:
        return snapshots.newest(uri) if version is None else snapshots.at(uri, version)
    except TableNotFoundError:
        if log_is_gone(uri):
            damage = Damage("log", "_delta_log is gone or empty")
            raise _damaged(uri, damage, version) from None
        return None


def shown(error: Exception) -> str:
    """The library's message, on one line and without its colours."""
    return " ".join(_COLOURS.sub("", str(error)).split())


def _damage(uri: str, version: int | None) -> Damage | None:
    try:
        added = pa.table(DeltaTable(uri, version=version).get_add_actions(flatten=True))
    except (DeltaError, OSError):
        return find_damage(uri)
    sizes = zip(added["path"].to_pylist(), added["size_bytes"].to_pylist(), strict=True)
    return find_damage(uri, dict(sizes))


def _is_newest(uri: str, version: int) -> bool:
    return int(DeltaTable(uri).version()) == version


def _damaged(uri: str, damage: Damage, version: int | None) -> DataError:
    if damage.where == "data" and version is not None and not _is_newest(uri, version):
        return DataError(
            f"{uri} at version {version} cannot be read (data file {damage.what}). Housekeeping "
            "deletes files that no registered version needs; choose a newer version."
        )
    if damage.where == "data":
        return DamagedFile(
            f"{uri}: data file {damage.what}. Nothing was lost by this attempt. Ingest that day "
            f"again, which replaces the file; of other tables than telemetry and quarantine see "
            f"{RUNBOOK}."
        )
    # A ledger that begins anew forgets what is live, which is what an attacker would want.
    is_ledger = uri.rstrip("/").endswith("/ledger")
    otherwise = "" if is_ledger else ", or remove its folder and create it again"
    return DataError(
        f"{uri}: the log of the table is damaged: {damage.what}. Nothing was written. Restore the "
        f"table from a backup{otherwise}: {RUNBOOK}."
    )


def refuse_other_kinds(rows: pa.Schema, held: pa.Schema, uri: str) -> None:
    """Refuse times as numbers, numbers as text and so on, which the library would cast in silence.

    Raises:
        DataError: a column of `rows` holds something else than in the table, which has `held`.
    """
    for field in rows:
        if field.name not in held.names or pa.types.is_null(field.type):
            continue
        known, new = kind_of(str(held.field(field.name).type)), kind_of(str(field.type))
        if known != new:
            msg = (
                f"{uri}: column {field.name} holds {known} and would hold {new}; rename the new "
                "column (source.rename maps what the source calls it), or start a new table under "
                "another detector name."
            )
            raise DataError(msg)

"""Tables of people's answers: each row is signed, and reading an unproven one is an error.

An answer decides what trains and what is muted, so a forged one must not count: a row without a
proof is an error that names it. A row that was deleted is not noticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from pipeline.errors import UnprovenAnswer
from pipeline.ledger import answers, keyring
from pipeline.ledger.keys import PublicKey, Signature
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.tables import Table, append, current_version, read, replace_days
from pipeline.tables.layout import laid_out
from pipeline.tables.schemas import SCHEMAS, TableName

PROOF = ("key", "signature")

ANSWERS: tuple[TableName, ...] = ("labels", "decisions", "case_answers")
"""The tables of answers."""


def add(here: Deployment, table: Table, contents: Sequence[Mapping[str, Any]]) -> None:
    """Append answers, signed and filed under the day on which they were given.

    Raises:
        ConfigError: this process does not hold the private key of answers.
    """
    append(table, [_signed(here, table, content) for content in contents])


def given_by(
    here: Deployment, table: Table, last_day: date, *, first_day: date | None = None
) -> list[dict[str, Any]]:
    """The answers that people gave up to a day, and from `first_day` on where it is given.

    Raises:
        UnprovenAnswer: a row that the newest key of answers has not signed. One that was replaced
            proves nothing: a rotation signs anew what it had signed, and it may have been stolen.
    """
    rows = _rows(table, last_day, first_day)
    trusted = keyring.trusted(here, "answers") if rows else ()
    for row in rows:
        if not _is_signed_by(table, row, trusted[-1:]):
            raise UnprovenAnswer(_unproven(here, table, row, trusted))
    return [_bare(row) for row in rows]


def unsigned_answers(here: Deployment, detector: str) -> dict[TableName, dict[str, int]]:
    """The number of rows that no trusted key has signed: by table, then by author on record."""
    return {table.name: _unsigned(here, table) for table in _tables(here, detector)}


def adopt_answers(here: Deployment, detector: str) -> int:
    """Sign all rows with the newest key, whoever has signed them; returns how many that were.

    Raises:
        TableConflict: somebody answered meanwhile.
    """
    return sum(_sign_anew(here, table, lambda _: True) for table in _tables(here, detector))


def sign_answers_anew(here: Deployment, detector: str) -> int:
    """Sign the rows of replaced keys with the newest one; returns how many that were.

    A row that no trusted key has signed stays as it is: a rotation vouches for nobody.

    Raises:
        TableConflict: somebody answered meanwhile.
    """
    trusted = keyring.trusted(here, "answers")
    return sum(
        _sign_anew(here, table, partial(_is_signed_by, table, keys=trusted))
        for table in _tables(here, detector)
    )


def _tables(here: Deployment, detector: str) -> list[Table]:
    return [Table(here.storage, detector, name) for name in ANSWERS]


def _unsigned(here: Deployment, table: Table) -> dict[str, int]:
    trusted = keyring.trusted(here, "answers")
    rows = _rows(table, date.max) if current_version(table) is not None else []
    strange = [row for row in rows if not _is_signed_by(table, row, trusted)]
    return dict(Counter(str(row["author"]) for row in strange))


def _sign_anew(here: Deployment, table: Table, may: Callable[[dict[str, Any]], bool]) -> int:
    version = current_version(table)
    rows = _rows(table, date.max) if version is not None else []
    newest = keyring.trusted(here, "answers")[-1:] if rows else ()
    due = [not _is_signed_by(table, row, newest) and may(row) for row in rows]
    if not any(due):
        return 0
    signed = [
        _signed(here, table, _bare(row)) if again else _dated(row)
        for row, again in zip(rows, due, strict=True)
    ]
    content = laid_out(table.name, signed)
    days = sorted(set(content["date"].to_pylist()))
    replace_days(table, days, content, metadata={"adopted": str(sum(due))}, based_on=version)
    return sum(due)


def _is_signed_by(table: Table, row: Mapping[str, Any], keys: Sequence[PublicKey]) -> bool:
    return answers.holds(_content(table, _bare(row)), _signature(row), keys)


def _bare(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its signature."""
    return {name: value for name, value in row.items() if name not in PROOF}


def _signature(row: Mapping[str, Any]) -> Signature:
    return Signature(*(str(row[name] or "") for name in PROOF))


def _rows(table: Table, last_day: date, first_day: date | None = None) -> list[dict[str, Any]]:
    names = [name for name in SCHEMAS[table.name].names if name != "date"]
    limit = None if last_day == date.max else last_day
    frame = read(table, columns=names, first_day=first_day, last_day=limit)
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124 - a frame has NaN or NaT for None
        return None
    return value.to_pydatetime().astimezone(UTC) if hasattr(value, "to_pydatetime") else value


def _signed(here: Deployment, table: Table, content: Mapping[str, Any]) -> dict[str, Any]:
    key = keyring.signer(here, "answers")
    signature = answers.signature_of(_content(table, content), key)
    return _dated(content) | {"key": signature.key, "signature": signature.value}


def _dated(content: Mapping[str, Any]) -> dict[str, Any]:
    # By the day it was made, so that a reader of an earlier day need not open it.
    return {**content, "date": content["created_at"].astimezone(UTC).date()}


def _content(table: Table, row: Mapping[str, Any]) -> dict[str, str]:
    parts = {name: _text(value) for name, value in row.items()}
    return {**parts, "table": table.name, "detector": table.detector}


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return "" if value is None else str(value)


def _unproven(
    here: Deployment, table: Table, row: Mapping[str, Any], trusted: Sequence[PublicKey]
) -> str:
    what = f"{table.name} of {table.detector}: the answer of {row['author']} of {row['created_at']}"
    key = _signature(row).key
    adopt_it = this_shell(here).plimsoll("ledger", table.detector, "--adopt", "--reason", "...")
    if not key:
        return (
            f"{what} is not signed. If an earlier release wrote it, vouch for it once with "
            f"`{adopt_it}` (docs/upgrade.md); if not, somebody put it there."
        )
    if _is_signed_by(table, row, trusted):
        return (
            f"{what} is signed by key {key}, which was replaced. If it was there before the key "
            f"was, sign it anew with `{adopt_it}`; if not, somebody has the old key."
        )
    return (
        f"{what} is not proven by any key of answers that is trusted here (it says key {key}): it "
        "was changed, or somebody put it there. See docs/runbook.md, 'The ledger does not hold'."
    )

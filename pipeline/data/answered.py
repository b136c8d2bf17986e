"""Tables of people's answers: each row is signed, and reading an unproven one is an error.

An answer decides what trains and what is muted, so a forged one must not count: a row without a
proof is an error that names it. A row that was deleted is not noticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pipeline import settings
from pipeline.errors import UnprovenAnswer
from pipeline.ledger import answers, keyring
from pipeline.ledger.keys import Signature
from pipeline.shell import this_shell
from pipeline.table_schemas import SCHEMAS, laid_out
from pipeline.tables import Table, append, current_version, read, replace_days

PROOF = ("key", "signature")


def add(table: Table, contents: Sequence[Mapping[str, Any]]) -> None:
    """Append answers, signed and filed under the day on which they were given.

    Raises:
        ConfigError: this process does not hold the private key of answers.
    """
    append(table, [_signed(table, content) for content in contents])


def given_by(table: Table, last_day: date) -> list[dict[str, Any]]:
    """The answers that people gave up to a day.

    Raises:
        UnprovenAnswer: a row that no trusted key has signed.
    """
    rows = _rows(table, last_day)
    trusted = keyring.trusted(settings.load(), "answers") if rows else ()
    for row in rows:
        signature = Signature(*(str(row.pop(name) or "") for name in PROOF))
        if not answers.holds(_content(table, row), signature, trusted):
            raise UnprovenAnswer(_unproven(table, row, signature))
    return rows


def unsigned(table: Table) -> dict[str, int]:
    """The number of unsigned rows, of releases that did not sign, by the author on record."""
    rows = _rows(table, date.max) if current_version(table) is not None else []
    return dict(Counter(str(row["author"]) for row in rows if not row["signature"]))


def adopt(table: Table) -> int:
    """Sign the rows of releases that did not sign; returns how many there were.

    Raises:
        TableConflict: somebody answered meanwhile.
    """
    version = current_version(table)
    rows = _rows(table, date.max) if version is not None else []
    unsigned = [row for row in rows if not row["signature"]]
    if not unsigned:
        return 0
    bare = [{k: v for k, v in row.items() if k not in PROOF} for row in unsigned]
    kept = [row for row in rows if row["signature"]]
    signed = [*(_dated(row) for row in kept), *(_signed(table, row) for row in bare)]
    content = laid_out(table.name, signed)
    days = sorted(set(content["date"].to_pylist()))
    replace_days(table, days, content, metadata={"adopted": str(len(unsigned))}, based_on=version)
    return len(unsigned)


def _rows(table: Table, last_day: date) -> list[dict[str, Any]]:
    names = [name for name in SCHEMAS[table.name].names if name != "date"]
    limit = None if last_day == date.max else last_day
    frame = read(table, columns=names, last_day=limit)
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124 - a frame has NaN or NaT for None
        return None
    return value.to_pydatetime().astimezone(UTC) if hasattr(value, "to_pydatetime") else value


def _signed(table: Table, content: Mapping[str, Any]) -> dict[str, Any]:
    key = keyring.signer(settings.load(), "answers")
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


def _unproven(table: Table, row: Mapping[str, Any], signature: Signature) -> str:
    what = f"{table.name} of {table.detector}: the answer of {row['author']} of {row['created_at']}"
    if not signature.key:
        adopt_it = this_shell().plimsoll("ledger", table.detector, "--adopt", "--reason", "upgrade")
        return (
            f"{what} is not signed. If an earlier release wrote it, vouch for it once with "
            f"`{adopt_it}` (docs/upgrade.md); if not, somebody put it there."
        )
    return (
        f"{what} is not proven by any key of answers that is trusted here (it says key "
        f"{signature.key}): it was changed, or somebody put it there. See docs/runbook.md, 'The "
        "ledger does not hold'."
    )

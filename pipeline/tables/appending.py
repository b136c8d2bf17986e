"""Appending to a table as a compare-and-set: after the version that was read, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake

from pipeline.errors import TableConflict
from pipeline.lineage import note_written
from pipeline.tables.engine import Table, open_or_create
from pipeline.tables.faults import explained
from pipeline.tables.layout import laid_out


def append_behind(table: Table, rows: Sequence[Mapping[str, Any]], version: int | None) -> int:
    """Add rows as the commit that follows `version`, or not at all; returns the new version.

    Of all that try after the same version one succeeds, on a local path and on S3. None: the table
    is not there yet.

    Raises:
        TableConflict: another commit came first; nothing was written.
        OutageError: the store does not answer.
    """
    content = laid_out(table.name, rows)
    with explained(table.uri):
        target = open_or_create(table, content.schema, version)
        # Several who create it at once may leave several versions, none of them with rows.
        if version is None and pa.table(target.get_add_actions()).num_rows:
            msg = f"{table.uri} holds rows already; nothing was written."
            raise TableConflict(msg)
        write_deltalake(
            target,
            content,
            mode="append",
            schema_mode="merge",
            commit_properties=CommitProperties(max_commit_retries=0),
        )
        written = int(target.version())
    note_written(table.uri, version=written, rows=content.num_rows)
    return written

"""Tables copied into the S3 server."""

from __future__ import annotations

from pathlib import Path

from pyarrow import fs

from pipeline.staging import filesystem_at


def copy_table(folder: Path, uri: str) -> None:
    """The files of a Delta table, as they are."""
    filesystem, path = filesystem_at(uri)
    fs.copy_files(str(folder), path, destination_filesystem=filesystem, use_threads=False)

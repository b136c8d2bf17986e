"""Relative paths in a detector file: the file says WHAT is read, the deployment WHERE it is."""

from __future__ import annotations

from pathlib import PurePosixPath

from pipeline.config import SourceSpec

_PATHS = ("path", "replaced_days")


def anchored(source: SourceSpec, root: str) -> SourceSpec:
    """`source` with its relative paths put under `root`, a local folder or an `s3://` URI."""
    given = {name: getattr(source, name, None) for name in _PATHS}
    relative = {
        name: f"{root.rstrip('/')}/{path}"
        for name, path in given.items()
        if path is not None and "://" not in path and not PurePosixPath(path).is_absolute()
    }
    return source.model_copy(update=relative)

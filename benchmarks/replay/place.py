"""A folder of its own for tables, registry and bundles; downloads stay in the usual cache."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from pipeline import settings
from pipeline.data.sources.openoa_wheel import wheel_in

_OWN = ("lake", "data", "mlflow", "cache")


@contextmanager
def deployed(folder: Path | None) -> Iterator[Path]:
    """The steps of this process work in an empty `folder`/replay; None: a temporary one."""
    with tempfile.TemporaryDirectory(prefix="plimsoll-replay-") as scratch:
        home = (folder or Path(scratch)).resolve() / "replay"
        shutil.rmtree(home, ignore_errors=True)
        for name in _OWN:
            (home / name).mkdir(parents=True)
        _share_downloads(settings.load().cache, home / "cache")
        # MLflow without a server keeps artifacts below the working folder.
        with _environment(_values(home)), chdir(home / "mlflow"):
            yield home


def _values(home: Path) -> dict[str, str]:
    return {
        "PLIMSOLL_STORAGE": str(home / "lake"),
        "PLIMSOLL_DATA": str(home / "data"),
        "PLIMSOLL_CACHE": str(home / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }


def _share_downloads(usual: Path, own: Path) -> None:
    """Use the usual cache for large downloads and prepared files."""
    wheel_in(usual)
    for pattern in ("*.whl", "*.parquet"):
        for file in usual.glob(pattern):
            (own / file.name).symlink_to(file.resolve())


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """With `values` set, and a lock on this host instead of in anybody's database."""
    before = dict(os.environ)  # noqa: TID251 - the steps read from there where they work
    os.environ.update(values)  # noqa: TID251 - likewise
    os.environ.pop("PLIMSOLL_DATABASE", None)  # noqa: TID251 - likewise
    try:
        yield
    finally:
        os.environ.clear()  # noqa: TID251 - put back
        os.environ.update(before)  # noqa: TID251 - put back

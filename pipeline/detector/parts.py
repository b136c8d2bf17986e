"""The files of a bundle: which must be there, and how large each may be."""

from __future__ import annotations

from pathlib import Path

from pipeline.detector.calibrated import GOLDEN_FILE, REFERENCE_FILE, TRAINED_FILE
from pipeline.detector.description import DESCRIPTION_FILE
from pipeline.detector.fitted import GRAPH_FILE, WEIGHTS_FILE
from pipeline.errors import BundleError

_MIB = 2**20

NEEDED = (GRAPH_FILE, WEIGHTS_FILE, DESCRIPTION_FILE, GOLDEN_FILE, REFERENCE_FILE)
LARGEST = {
    GRAPH_FILE: 1024 * _MIB,
    WEIGHTS_FILE: 1024 * _MIB,
    DESCRIPTION_FILE: 16 * _MIB,
    GOLDEN_FILE: 256 * _MIB,
    REFERENCE_FILE: 256 * _MIB,
    TRAINED_FILE: 256 * _MIB,
}
"""Far above what a detector needs, far below what a machine holds; in bytes."""


def refuse_incomplete(folder: Path, *, redrawn: bool = False) -> None:
    """Let a folder pass that holds every part of a bundle; one with a `redrawn` line has one more.

    Raises:
        BundleError: a part is absent, or too large to be one.
    """
    for name in (*NEEDED, *([TRAINED_FILE] if redrawn else [])):
        if not (folder / name).is_file():
            msg = (
                f"{folder / name}: is absent; a bundle has {', '.join(NEEDED)}. Fetch it again, "
                "or fit again."
            )
            raise BundleError(msg)
    for name, most in LARGEST.items():
        path = folder / name
        if path.is_file() and path.stat().st_size > most:
            msg = (
                f"{path}: has {path.stat().st_size:,} bytes; at most {most:,} are read. Fetch the "
                "bundle again, or fit again with fewer features, a shorter window or a smaller "
                "model."
            )
            raise BundleError(msg)

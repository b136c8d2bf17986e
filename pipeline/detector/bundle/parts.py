"""The files of a bundle: those that are required, and the largest size of each."""

from __future__ import annotations

from pathlib import Path

from pipeline.detector.bundle.description import DESCRIPTION_FILE
from pipeline.detector.calibration.calibrated import (
    ACCEPTED_FILE,
    GOLDEN_FILE,
    REFERENCE_FILE,
    TRAINED_FILE,
)
from pipeline.detector.models.fitted import GRAPH_FILE, WEIGHTS_FILE
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
    ACCEPTED_FILE: 256 * _MIB,
}
"""In bytes: far above the need of a detector, far below the memory of a machine."""


def refuse_incomplete(folder: Path, *, recalibrated: bool = False) -> None:
    """Refuse a folder without every part of a bundle; a `recalibrated` one has one part more.

    Raises:
        BundleError: a part is missing, or too large.
    """
    for name in (*NEEDED, *([TRAINED_FILE] if recalibrated else [])):
        if not (folder / name).is_file():
            msg = (
                f"{folder / name}: is missing; a bundle has {', '.join(NEEDED)}. Fetch it again, "
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

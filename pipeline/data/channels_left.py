"""Which rows keep enough channels to be judged: a sensor fails alone, and the others are watched.

A cell that broke a rule about its channel is a missing value of its row. Where too many are, the
row is in quarantine with all that it has: of few channels the network can say little, and of those
that are missing nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import DetectorSpec
from pipeline.data.channels import channels
from pipeline.data.faults import Faults, Mask

_NAMED = 5  # missing features named in a row's detail


def reject_rows_with_few_channels(
    numbers: pd.DataFrame, spec: DetectorSpec, faults: Faults
) -> None:
    """Reject the rows that keep fewer channels than allowed, or none that is judged.

    Args:
        numbers: float64 features, n rows.
        spec: for its channels and `minimum_channels`.
        faults: which cells broke a rule; receives the rejected rows. A row that lacks too much
            without a fault is filed under `too_many_missing`.
    """
    names, least = list(spec.columns.features), spec.minimum_channels
    absent = numbers[names].isna().to_numpy()
    for place, name in enumerate(names):
        absent[:, place] |= faults.cell(name)
    judged = [channel.judged for channel in channels(spec.columns)]
    nothing: Mask = np.asarray(absent[:, judged].all(axis=1))
    few = (((~absent).sum(axis=1) < least) | nothing) & ~faults.rejected
    broken = np.flatnonzero(few & faults.any)
    faults.reject(broken, [_left(absent[row], nothing[row], least) for row in broken.tolist()])
    for row in np.flatnonzero(few & ~faults.any).tolist():
        detail = (
            "every feature that is judged is missing; limit: one at least is there"
            if nothing[row]
            else _missing(absent[row], names, len(names) - least)
        )
        faults.add(np.array([row]), "too_many_missing", None, detail)


def _left(absent: NDArray[np.bool_], nothing: np.bool_, least: int) -> str:
    if nothing:
        return "no channel that is judged is left; limit 1"
    return f"{int((~absent).sum())} of {len(absent)} channels are left; limit {least}"


def _missing(absent: NDArray[np.bool_], names: list[str], most: int) -> str:
    lacking = [name for name, is_absent in zip(names, absent, strict=True) if is_absent]
    return f"{len(lacking)} of {len(names)} features are missing ({_some(lacking)}); limit {most}"


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")

"""The days that a bundle was made from."""

from __future__ import annotations

from datetime import date

from pipeline.detector.bundle.bundle import Bundle
from pipeline.utc_day import ONE_DAY


def knows_until(bundle: Bundle) -> date:
    """The first day after the data of the bundle; `date.min` where the bundle does not say.

    The data of a recalibrated bundle include its recalibration window.
    """
    data = bundle.description.provenance.data
    if as_of := data.get("as_of"):
        return date.fromisoformat(str(as_of)[:10])
    if last := data.get("last_day"):
        return date.fromisoformat(str(last)[:10]) + ONE_DAY
    return date.min

"""Whether the threshold of a version rests on enough rows, from its bundle."""

from __future__ import annotations

from pipeline.config import DetectorSpec
from pipeline.detector.bundle.bundle import Bundle
from pipeline.errors import DataError
from pipeline.monitoring.provisional import Provisional, is_provisional, provisional
from pipeline.recalibration.ancestry import trained_until


def provisional_of(bundle: Bundle, spec: DetectorSpec) -> Provisional | None:
    """What to say of the threshold of `bundle`; None where it rests on enough rows.

    Asked after each scored day, so that the reference is read only where it is needed.
    """
    threshold, needed = bundle.description.threshold, spec.gate.minimum_calibration_rows
    if not is_provisional(threshold, needed=needed):
        return None
    try:
        until = trained_until(bundle)
    except DataError:  # fitted on a bare file: nobody knows on which days
        until = None
    return provisional(
        threshold,
        bundle.reference().timeline,
        until,
        needed=needed,
        minimum_days=spec.recalibration.minimum_days,
        forward=bundle.description.calibration.forward,
    )

"""What a bundle says of its weights and of its threshold's past; a recalibration adds to it."""

from __future__ import annotations

from datetime import date

from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.bundle.lineage import Lineage
from pipeline.errors import DataError
from pipeline.recalibration.records import Anchor


def trained_until(bundle: Bundle) -> date:
    """The last day that the network of `bundle` may have been trained on.

    Raises:
        DataError: its description does not say.
    """
    lineage, known = bundle.description.lineage, bundle.description.provenance.data
    if lineage is not None:
        return lineage.trained_until
    if "last_day" not in known:
        msg = (
            f"{bundle.folder}: does not say until when its network was trained, so it is unknown "
            "which days are new to it; train a version with the train DAG."
        )
        raise DataError(msg)
    return date.fromisoformat(str(known["last_day"]))


def weights_of(bundle: Bundle, number: int) -> int:
    """The version that trained the weights of `bundle`, which is version `number`."""
    lineage = bundle.description.lineage
    return lineage.weights_of if lineage else number


def anchor_of(bundle: Bundle) -> Anchor:
    """The anchor from which the moves of this bundle's threshold are measured."""
    lineage = bundle.description.lineage
    if lineage is not None:
        return Anchor(
            lineage.anchor_threshold, lineage.anchor_level, lineage.anchor_day, lineage.moved
        )
    day, quantiles = trained_until(bundle), bundle.description.calibration.quantiles
    return Anchor(bundle.threshold, quantiles["0.5"], day, moved=day)


def lineage_of(bundle: Bundle, number: int, anchor: Anchor, counts: dict[str, int]) -> Lineage:
    """The lineage of a recalibration of `bundle`, which is version `number`."""
    return Lineage(
        weights_of=weights_of(bundle, number),
        drawn_from=number,
        trained_until=trained_until(bundle),
        anchor_threshold=anchor.threshold,
        anchor_level=anchor.level,
        anchor_day=anchor.day,
        moved=anchor.moved,
        counts=counts,
    )

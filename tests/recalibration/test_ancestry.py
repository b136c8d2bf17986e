from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.detector.bundle.lineage import Lineage
from pipeline.errors import DataError
from pipeline.recalibration import Anchor
from pipeline.recalibration.ancestry import anchor_of, lineage_of, trained_until, weights_of

LINEAGE = Lineage(
    weights_of=1,
    drawn_from=2,
    trained_until=date(2024, 1, 30),
    anchor_threshold=8.0,
    anchor_level=0.9,
    anchor_day=date(2024, 1, 30),
    moved=date(2024, 3, 30),
    counts={"presumed": 9},
)


def bundle(lineage: Lineage | None = None, **data: str) -> Any:
    """What a bundle's description says: only that is read."""
    description = SimpleNamespace(
        lineage=lineage,
        provenance=SimpleNamespace(data=data),
        calibration=SimpleNamespace(quantiles={"0.5": 1.1}),
    )
    return SimpleNamespace(folder="bundle", threshold=10.0, description=description)


TRAINED = bundle(last_day="2024-01-31")


def test_the_first_recalibration_is_measured_from_the_training():
    day = date(2024, 1, 31)

    assert trained_until(TRAINED) == day
    assert weights_of(TRAINED, 5) == 5
    assert anchor_of(TRAINED) == Anchor(10.0, 1.1, day, moved=day)


def test_a_later_one_keeps_the_weights_and_the_anchor_of_the_first():
    later = bundle(LINEAGE, last_day="2024-03-30")

    assert trained_until(later) == LINEAGE.trained_until
    assert weights_of(later, 5) == 1
    assert anchor_of(later) == Anchor(8.0, 0.9, LINEAGE.anchor_day, LINEAGE.moved)


def test_its_lineage_names_the_version_that_was_recalibrated_and_the_one_that_was_trained():
    later, anchor = bundle(LINEAGE), Anchor(8.0, 0.9, LINEAGE.anchor_day, date(2024, 4, 30))

    found = lineage_of(later, 3, anchor, {"held": 2})

    assert found == replace(LINEAGE, drawn_from=3, moved=date(2024, 4, 30), counts={"held": 2})
    assert lineage_of(TRAINED, 3, anchor, {}).weights_of == 3


def test_a_bundle_that_does_not_say_when_it_was_trained_cannot_be_recalibrated():
    with pytest.raises(DataError, match="does not say until when its network was trained"):
        trained_until(bundle())

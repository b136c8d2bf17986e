"""`detector.json`: the content of a bundle, its provenance, and how far to trust it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.detector.bundle.lineage import Lineage, Start
from pipeline.detector.calibration.calibrated import CalibrationSummary
from pipeline.detector.calibration.postprocessing import UNCHANGED, ScorePostprocessing
from pipeline.detector.models.fitted import Facts, read_part
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.errors import BundleError
from pipeline.records import from_json, to_json

DESCRIPTION_FILE = "detector.json"
_MOST_SHOWN = 400  # characters of an error in it
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Provenance:
    """The origin of a bundle; passed in, as the core knows neither storage nor repository.

    Attributes:
        data: table versions, dates, row counts, label version.
        code_version: commit of Plimsoll.
        lock_hash: sha256 of the requirements lock.
        start: of a fine-tuned network; None where training began with new weights.
    """

    data: dict[str, Any]
    code_version: str
    lock_hash: str
    start: Start | None = None


@dataclass(frozen=True)
class Description:
    """The content of `detector.json`.

    Attributes:
        schema_version: of this file; a reader refuses one it does not know.
        name: of the detector.
        network: schema, settings, scaler and history of the fit.
        threshold: the threshold and how far to trust it.
        calibration: summary of the scores that it was estimated from.
        provenance: data, code and lock.
        finish: the postprocessing of the graph's scores before they meet the threshold.
        lineage: of a recalibrated bundle; None where the network was trained for this one.
        golden_rows: rows in `golden.parquet`; None in bundles of releases that did not count them.
    """

    schema_version: int
    name: str
    network: Facts
    threshold: ThresholdEstimate
    calibration: CalibrationSummary
    provenance: Provenance
    finish: ScorePostprocessing = UNCHANGED
    lineage: Lineage | None = None
    golden_rows: int | None = None


def write_description(description: Description, folder: Path) -> None:
    """Write `detector.json`."""
    text = json.dumps(to_json(description), indent=1, sort_keys=True, ensure_ascii=False)
    (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")


def read_description(folder: Path) -> Description:
    """Read `detector.json`.

    Raises:
        BundleError: it is not a description, or has another schema version.
    """
    path = folder / DESCRIPTION_FILE
    try:
        content = json.loads(read_part(folder, DESCRIPTION_FILE))
        version = content["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = repr(error)[:_MOST_SHOWN]
        msg = f"{path}: is no description of a detector ({reason}); fetch the bundle again"
        raise BundleError(msg) from error
    if version != SCHEMA_VERSION:
        msg = (
            f"{path}: has schema_version {repr(version)[:_MOST_SHOWN]}; this Plimsoll reads "
            f"{SCHEMA_VERSION}. Use the release that wrote it, or fit again."
        )
        raise BundleError(msg)
    try:
        return from_json(Description, content)
    except (ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
        reason = " ".join(str(error).split())[:_MOST_SHOWN]
        msg = (
            f"{path}: does not describe a detector ({reason}); fetch the bundle again, or fit again"
        )
        raise BundleError(msg) from error

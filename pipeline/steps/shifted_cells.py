"""The cells of shifted channels in rows that train: what takes their place, and for which rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.channels import channels
from pipeline.data.replaced_cells import ReplacedCells
from pipeline.data.timeline import Indices, Mask
from pipeline.detector.bundle.filling import filling_of
from pipeline.detector.inputs.filled_cells import fill_cells
from pipeline.detector.inputs.frames import unchecked_values
from pipeline.detector.inputs.schema import schema_for
from pipeline.detector.inputs.scored import Rows
from pipeline.settings import Deployment
from pipeline.steps import live
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import against_file

FEWEST_LENDERS = 100
"""Normal rows that a machine has with its channel in place; with fewer nobody knows its level."""


@dataclass(frozen=True)
class CellReplacement:
    """What takes the place of shifted cells.

    Attributes:
        live: the version whose network fills them in; None: they become missing values.
    """

    live: LoadedVersion | None = None


def replacement_for(here: Deployment, spec: DetectorSpec) -> CellReplacement | None:
    """What may take the place of cells in rows that `spec` trains on; None: whole rows go.

    A network of windows would need values of the rows before, and one of other columns, units or
    cadence expects other values.

    Raises:
        UnprovenLedger: the ledger does not hold.
        UnprovenBundle: the live version's bundle is gone, or is not the one in the ledger.
    """
    if schema_for(spec).takes_missing:
        return CellReplacement()
    if spec.window.length > 1:
        return None
    champion = live.readable_champion(here, spec.name)
    if champion is None or not _can_fill(champion, spec):
        return None
    return CellReplacement(champion)


def can_stay(
    frame: pd.DataFrame, spec: DetectorSpec, hidden: Mask, machine: Indices, lenders: Mask
) -> Mask:
    """Rows of `frame` that may train without their `hidden` cells, shape (n,).

    Their machine has `FEWEST_LENDERS` rows with everything in place, and they themselves a value
    that is judged.
    """
    schema = schema_for(spec)
    count = np.bincount(machine[lenders], minlength=int(machine.max(initial=0)) + 1)
    visible = ~hidden & np.isfinite(unchecked_values(frame, schema))
    stays: Mask = (count[machine] >= FEWEST_LENDERS) & visible[:, list(schema.judged)].any(axis=1)
    return stays


def without_cells(
    frame: pd.DataFrame,
    spec: DetectorSpec,
    hidden: Mask,
    machine: Indices,
    lenders: Mask,
    how: CellReplacement,
) -> pd.DataFrame:
    """`frame` with its `hidden` cells, shape (n, d), replaced; see `fill_cells` for the others."""
    if how.live is None:
        made = np.where(hidden, np.float32(np.nan), unchecked_values(frame, schema_for(spec)))
    else:
        made = _filled(frame, spec, hidden, machine, lenders, how.live)
    changed = {}
    for at in np.flatnonzero(hidden.any(axis=0)):
        name = spec.columns.feature_columns[at]
        changed[name] = np.where(hidden[:, at], made[:, at], frame[name].to_numpy())
    return frame.assign(**changed)


def record_of(
    frame: pd.DataFrame, spec: DetectorSpec, hidden: Mask, how: CellReplacement
) -> ReplacedCells:
    """The record of the `hidden` cells of `frame`; what was missing before does not count."""
    found = hidden & frame[list(spec.columns.feature_columns)].notna().to_numpy()
    shifted = found.any(axis=0)
    of = (channel for channel in channels(spec.columns) if shifted[list(channel.columns)].any())
    by = how.live
    return ReplacedCells(
        cells=int(found.sum()),
        rows=int(found.any(axis=1).sum()),
        channels=tuple(sorted(channel.name for channel in of)),
        version=None if by is None else by.version.number,
        bundle_sha256="" if by is None else by.bundle.digest,
    )


def _filled(
    frame: pd.DataFrame,
    spec: DetectorSpec,
    hidden: Mask,
    machine: Indices,
    lenders: Mask,
    live: LoadedVersion,
) -> Rows:
    """The features of `frame` in the file's order, shape (n, d), filled in by the live network.

    Its inputs may have another order than the file has now.
    """
    schema, ours = live.bundle.schema, spec.columns.feature_columns
    theirs = [ours.index(name) for name in schema.features]
    rows, generator = unchecked_values(frame, schema), np.random.default_rng(spec.model.seed)
    filling = filling_of(live.bundle)
    made = fill_cells(rows, hidden[:, theirs], machine, lenders, filling, generator)
    return made[:, np.argsort(theirs)]


def _can_fill(champion: LoadedVersion, spec: DetectorSpec) -> bool:
    facts, schema = champion.bundle.description.network, schema_for(spec)
    same_features = sorted(facts.schema.features) == sorted(schema.features)
    same = same_features and facts.schema.window == schema.window
    of_file = facts.schema.source_columns is not None
    return facts.reconstructs and same and of_file and not against_file(champion, spec)

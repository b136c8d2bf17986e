"""Rows scored by one bundle: scores, shifted channels, and each channel's share of a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, Shifts
from pipeline.data.decision import ChannelDecision
from pipeline.data.timeline import Indices, Mask, Timeline, subset, timeline_from
from pipeline.detector.attribution import Contributions, contributions
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.calibration.postprocessing import leading_up, postprocess_parts, runs_of
from pipeline.detector.inputs.frames import failed_cells, feature_values, timeline_of
from pipeline.detector.inputs.inputs import refuse_empty
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.inputs.windows import marked_in_window, windows
from pipeline.errors import DataError
from pipeline.incidents.failing import failing
from pipeline.scoring import ScoredRows, score_values
from pipeline.shifts import Shifted, left_out, rows_of, shifted_rows


@dataclass(frozen=True)
class FlaggedRows:
    """n rows scored by one bundle, with c channels.

    Attributes:
        score: shape (n,); NaN where no full window ends.
        threshold: in force at each row, shape (n,).
        flagged: shape (n,).
        flagged_unmuted: shape (n,); flagged where no channel is left out of the score.
        shifts: which channels are left out of each row's score, which have moved.
        found: each channel's share of the score of a flagged row over its usual share, shape
            (n, c); 0 for other rows.
        strength: the same as if no channel were left out, for rows in which a channel has
            moved or that lie in a new regime; 0 for other rows.
        partial: shape (n,); a channel of the row, or of its window, has failed: it is missing, and
            what the network expects of it stands in its place.
        failing: shape (n, c); the channels that most rows of the last hour lack, as this one does.
    """

    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    flagged: Mask
    flagged_unmuted: Mask
    shifts: Shifted
    found: Contributions
    strength: Contributions
    partial: Mask
    failing: Mask


def fitted_columns(bundle: Bundle) -> Columns:
    """The columns that a bundle was fitted with, which the detector file may have changed since.

    Raises:
        DataError: it was fitted without a detector file.
    """
    schema = bundle.schema.source_columns
    if schema is None:
        msg = (
            f"Bundle {bundle.digest[:12]} was fitted without a detector file, so its channels are "
            "unknown; train one with the train DAG."
        )
        raise DataError(msg)
    # The bundle's JSON is sorted by key; the model's inputs are not.
    found = Columns.model_validate(schema)
    place = {name: at for at, name in enumerate(bundle.schema.features)}
    order = sorted(found.features, key=lambda name: place[found.own_columns(name)[0]])
    return Columns.model_validate(
        {**schema, "features": {name: schema["features"][name] for name in order}}
    )


def judge(
    bundle: Bundle,
    frame: pd.DataFrame,
    own: int,
    limits: Shifts,
    decisions: Sequence[ChannelDecision] = (),
) -> FlaggedRows:
    """Score the last `own` rows of `frame`; the rows before them are only looked back on.

    A cell that is missing because its sensor failed is left out like a muted one: filled in with
    what the network expects of it, and not blamed.

    The network gets the same rows in the same order whether a day is scored alone or with others,
    so that scores are equal to the last bit.

    Raises:
        DataError: a feature is absent or infinite, or a row has no value that is judged.
    """
    columns = fitted_columns(bundle)
    values = feature_values(frame, bundle.schema, partial=True)
    refuse_empty(values, bundle.schema.judged)
    place = timeline_from(frame, columns)
    shifts = shifted_rows(values, place, bundle, columns, limits, decisions)
    silent = failed_cells(values, bundle.schema)[:, [held[0] for held in shifts.columns]]
    silent = failing(silent, place, limits, columns)[-own:]
    if bundle.reach == 1:
        # Earlier rows only served to recognise shifts; each row is scored by itself.
        frame, values = frame.iloc[-own:], values[-own:]
        shifts = rows_of(shifts, slice(-own, None))
    timeline = timeline_of(frame, bundle.schema) if bundle.needs_timeline else None
    failed = failed_cells(values, bundle.schema)
    away = left_out(shifts, values.shape[1]) | failed
    partial, blind = _partial(failed, away, timeline, bundle)
    scored = _unscored(score_values(bundle, values, timeline, away), blind)
    whole = scored if (away == failed).all() else score_values(bundle, values, timeline, failed)
    ours, flagged = rows_of(shifts, slice(-own, None)), scored.flagged[-own:]
    moved = ours.moved.any(axis=1) | ours.regime
    return FlaggedRows(
        score=scored.score[-own:],
        threshold=np.full(own, bundle.threshold),
        flagged=flagged,
        flagged_unmuted=whole.flagged[-own:],
        shifts=ours,
        found=_contributions(bundle, _Rows(values, timeline, away), shifts, flagged),
        strength=_contributions(bundle, _Rows(values, timeline, failed), shifts, moved),
        partial=partial[-own:],
        failing=silent,
    )


def _partial(
    failed: Mask, away: Mask, timeline: Timeline | None, bundle: Bundle
) -> tuple[Mask, Mask]:
    """Rows that lack a failed cell in their window, and those of which nothing judged is left."""
    window, judged = bundle.schema.window, list(bundle.schema.judged)
    partial, blind = (np.zeros(len(failed), dtype=bool) for _ in range(2))
    if failed.any():
        end = windows(failed.astype(np.float32), window, timeline).end
        partial[end] = marked_in_window(failed, window, timeline).any(axis=1)
        partial |= failed.any(axis=1)
        blind[end] = marked_in_window(away, window, timeline)[:, judged].all(axis=1)
    return partial, partial & blind


def _unscored(scored: ScoredRows, blind: Mask) -> ScoredRows:
    """No score for rows of which nothing is left: a score of 0 would call them normal."""
    if not blind.any():
        return scored
    return replace(
        scored, score=np.where(blind, np.nan, scored.score), flagged=scored.flagged & ~blind
    )


@dataclass(frozen=True)
class _Rows:
    """Feature rows, their timeline if the bundle needs it, and the cells to leave out."""

    features: Rows
    timeline: Timeline | None
    away: Mask

    def some(self, kept: Indices) -> _Rows:
        """The kept rows."""
        return _Rows(
            self.features[kept],
            None if self.timeline is None else subset(self.timeline, kept),
            self.away[kept],
        )


def _contributions(bundle: Bundle, rows: _Rows, shifts: Shifted, wanted: Mask) -> Contributions:
    """Each channel's share of the score of the `wanted` among the last `rows`; others 0."""
    found = np.zeros((len(wanted), len(shifts.channels)))
    if not wanted.any():
        return found
    if bundle.reach == 1:
        # Each row by itself: most are not needed.
        held = np.flatnonzero(wanted)
        found[held] = _contributed(bundle, rows.some(held), shifts, np.ones(len(held), dtype=bool))
        return found
    return _contributed(bundle, rows, shifts, wanted)


def _contributed(bundle: Bundle, rows: _Rows, shifts: Shifted, wanted: Mask) -> Contributions:
    found = np.zeros((len(wanted), len(shifts.channels)))
    values, timeline = rows.features, rows.timeline
    cut = windows(values, bundle.schema.window, timeline)
    away = None
    if rows.away.any():
        away = marked_in_window(rows.away, bundle.schema.window, timeline)
    row = cut.end - (len(values) - len(wanted))
    asked = (row >= 0) & wanted[row]
    timeline = None if timeline is None else subset(timeline, cut.end)
    # The flagged score averages the rows that lead up to it: they are needed too.
    kept = np.flatnonzero(_needed(asked, timeline, bundle))
    uncounted = None if away is None else away[kept]
    alone = np.zeros((len(row), len(shifts.channels)))
    alone[kept] = contributions(bundle, cut.rows[kept], shifts.columns, uncounted)
    done = postprocess_parts(alone, values[cut.end], timeline, bundle.postprocessing)
    found[row[asked]] = done[asked]
    return found


def _needed(asked: Mask, timeline: Timeline | None, bundle: Bundle) -> Mask:
    if bundle.postprocessing.rows == 1:
        return asked
    return leading_up(asked, runs_of(timeline), bundle.postprocessing.rows)

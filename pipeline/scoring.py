"""Scoring of rows, for batch jobs, MLflow and the command line alike.

Rows are scored here, not with the graph: the threshold applies to the graph's score after the
postprocessing that the bundle was calibrated with (smoothing, context factors).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
from numpy.typing import NDArray

from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.bundle.filling import filling_of
from pipeline.detector.calibration.postprocessing import PostprocessedScores, postprocess
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.inputs.windows import Windows, marked_in_window, windows

if TYPE_CHECKING:  # each brings pandas
    import pandas as pd

    from pipeline.data.timeline import Timeline
    from pipeline.shifts import Shifted

log = structlog.get_logger()


@dataclass(frozen=True)
class ScoredRows:
    """Scores and flags of rows, in their own order.

    Attributes:
        score: shape (n,), float64; NaN where no full window ends at the row.
        error: contribution of each feature to the score, shape (n, d); NaN likewise.
        complete: shape (n,); false where no full window ends. Always true for windows of one row.
        flagged: `score > threshold`; false where there is no score.
        known: shape (n,); false where the row's context was not calibrated. The scores of such
            rows are not divided by a factor.
    """

    score: NDArray[np.float64]
    error: NDArray[np.float32]
    complete: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    known: NDArray[np.bool_]


def score_frame(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """Columns score, threshold, is_anomaly with the index of `frame`, one row for each of its rows.

    A row at which no full window ends (the first rows after a gap, when windows are longer than
    one row) has no score: its score and its flag are null.

    Raises:
        DataError: a feature is missing, not numeric or not finite: NaN is never "normal"; or no
            time column, when windows need one.
    """
    import pandas as pd  # noqa: PLC0415 - scoring a Parquet file needs none

    return pd.DataFrame(_score_columns(bundle, score_rows(bundle, frame)), index=frame.index)


def score_rows(bundle: Bundle, frame: pd.DataFrame, shifted: Shifted | None = None) -> ScoredRows:
    """Like `score_frame`, with the error of each feature, and without the channels that are muted.

    See `score_values` for what takes the place of a muted channel.
    """
    from pipeline.detector.inputs.frames import feature_values, timeline_of  # noqa: PLC0415 - pandas
    from pipeline.shifts import left_out  # noqa: PLC0415 - pandas

    timeline = timeline_of(frame, bundle.schema) if bundle.needs_timeline else None
    values = feature_values(frame, bundle.schema)
    muted = None if shifted is None else left_out(shifted, values.shape[1])
    return score_values(bundle, values, timeline, muted)


def score_values(
    bundle: Bundle, values: Rows, timeline: Timeline | None, muted: NDArray[np.bool_] | None = None
) -> ScoredRows:
    """Score feature rows of shape (n, d); `timeline` may be None unless `bundle.needs_timeline`.

    `muted` cells, of the same shape, are left out; in a window, channels that are muted in any row,
    from all of its rows. What they measured is irrelevant, and they may be missing (NaN):

    - the network is shown what it expects of them in view of the others, so that it scores these
      as on an ordinary day (`pipeline.detector.bundle.filling`);
    - their error does not count. The threshold stays the same.

    It is so for each kind of score, and where values may be missing, too: on a made plant, muted
    cells that were shown as missing values made 4 times as many false alarms. Only a family that
    reconstructs nothing (a forest) gets the training mean. What the mean costs where channels go
    together: `python -m benchmarks.lasting.muting`.

    On four SMD machines, three fits each, the gain is less clear: false alarms fall on two (48 to
    37 %, 2.0 to 1.8 %) and stay on two, and no incident is lost, but fewer incident rows are
    flagged on those two (74 to 59 %, 58 to 50 %), and ROC-AUC falls by up to 15 points. A threshold
    of its own for each set of muted channels (three machines) only trades: 1.8 to 2.4 % false
    alarms for 50 to 58 % of incident rows on one, nearly no change on the others.
    """
    cut = windows(values, bundle.schema.window, timeline)
    if muted is None or not muted.any():
        raw = bundle.score(cut.rows)
        own, parts = raw.score.astype(np.float64), raw.error
    else:
        away = marked_in_window(muted, bundle.schema.window, timeline)
        own, parts = _without(bundle, cut.rows, away)
    done = _postprocessed(bundle, cut, own, parts, values, timeline)
    n = len(values)
    if unknown := int((~done.known).sum()):
        log.warning("contexts_unknown", rows=unknown, of=n, by=bundle.postprocessing.by)
    if bundle.schema.window == 1:  # each row is its own window
        flagged = done.score > bundle.threshold
        return ScoredRows(done.score, done.error, np.ones(n, dtype=bool), flagged, done.known)
    score, error = np.full(n, np.nan), np.full(values.shape, np.nan, dtype=np.float32)
    complete, known = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
    score[cut.end], error[cut.end], complete[cut.end] = done.score, done.error, True
    known[cut.end] = done.known
    return ScoredRows(score, error, complete, score > bundle.threshold, known)


def spread_out(scored: ScoredRows, kept: NDArray[np.bool_]) -> ScoredRows:
    """The scores of the `kept` rows among all n; the others have no score."""

    def spread(values: NDArray[Any], *, nothing: float) -> NDArray[Any]:
        whole = np.full((len(kept), *values.shape[1:]), nothing, dtype=values.dtype)
        whole[kept] = values
        return whole

    return ScoredRows(
        score=spread(scored.score, nothing=np.nan),
        error=spread(scored.error, nothing=np.nan),
        complete=spread(scored.complete, nothing=False),
        flagged=spread(scored.flagged, nothing=False),
        known=spread(scored.known, nothing=True),
    )


def _without(
    bundle: Bundle, rows: Rows, away: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Scores (n,) and errors (n, d) of model inputs without the features that are `away`, (n, d).

    All rows are scored together, in their own places: those with all features as if none had fewer.
    """
    hidden = np.tile(away, bundle.schema.window)
    raw = bundle.score(filling_of(bundle).expected(rows, hidden))
    own, fewer = raw.score.astype(np.float64), away.any(axis=1)
    parts = np.where(away, np.float32(0), raw.error)
    # The sum of a row does not depend on the rows scored with it.
    own[fewer] = parts[fewer].sum(axis=1, dtype=np.float64)
    return own, parts


def _postprocessed(
    bundle: Bundle,
    cut: Windows,
    score: NDArray[np.float64],
    error: NDArray[np.float32],
    values: Rows,
    timeline: Timeline | None,
) -> PostprocessedScores:
    """The graph's scores after the postprocessing, ready to be compared with the threshold.

    `values` are the rows as they were measured: a muted channel may still define a context.
    """
    if timeline is not None:
        from pipeline.data.timeline import subset  # noqa: PLC0415 - pandas, which single rows do not need

        timeline = subset(timeline, cut.end)
    rows = values if bundle.postprocessing.contexts is None else values[cut.end]
    return postprocess(score, error, rows, timeline, bundle.postprocessing)


def _score_columns(bundle: Bundle, rows: ScoredRows) -> dict[str, Any]:
    import pandas as pd  # noqa: PLC0415 - scoring a Parquet file needs none

    flags = pd.array(rows.flagged, dtype="boolean")
    flags[~rows.complete] = pd.NA
    # Plain booleans where each row has a score: MLflow and NumPy take them as they are.
    is_anomaly = rows.flagged if rows.complete.all() else flags
    threshold = np.full(len(rows.score), bundle.threshold)
    return {"score": rows.score, "threshold": threshold, "is_anomaly": is_anomaly}

"""The threshold of a calibration block, which is used for nothing else.

One threshold method needs labels: the split leaves known incidents in the calibration block for it
alone (`pipeline.data.split`). They count for the threshold only: reference, golden rows and usual
errors come from normal rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray

from pipeline.config import Columns
from pipeline.config.calibration import Contexts, Smoothing, Threshold
from pipeline.data.effective_rows import effective_rows
from pipeline.data.split import Block, incident_rows, labelled_incident, rows_for
from pipeline.data.timeline import Mask, autocorrelation, episodes, subset
from pipeline.detector.calibration.calibrated import Calibration, CalibrationSummary
from pipeline.detector.calibration.contexts import fit_contexts
from pipeline.detector.calibration.kept_rows import sample_golden, sample_reference
from pipeline.detector.calibration.postprocessing import (
    PostprocessedScores,
    ScorePostprocessing,
    postprocess,
)
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Scorer
from pipeline.detector.inputs.windows import windows
from pipeline.detector.thresholds.cost_weighted import LabelledScores, estimate_from_labels
from pipeline.detector.thresholds.coverage import least_rows
from pipeline.detector.thresholds.estimate import ThresholdEstimate
from pipeline.detector.thresholds.methods import THRESHOLDS, method_of
from pipeline.errors import CalibrationError

_QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
_UNSMOOTHED, _NO_CONTEXTS = Smoothing(), Contexts()

log = structlog.get_logger()


def calibrate(
    block: Block,
    schema: Schema,
    scorer: Scorer,
    config: Threshold,
    *,
    smoothing: Smoothing = _UNSMOOTHED,
    contexts: Contexts = _NO_CONTEXTS,
) -> Calibration:
    """Estimate the threshold from the postprocessed scores of held-out normal rows.

    Rows of one wave, one day or one weather exceed it together, so that they are worth fewer
    independent ones (`pipeline.data.effective_rows`); the intervals follow from that.

    Raises:
        SplitReuseError: the block is not for calibration.
        CalibrationError: too few effective rows, or a score that is not a finite number.
        DataError: a feature is absent or not finite.
    """
    whole = rows_for(block, "calibration")
    labelled = config.method == "cost_weighted"
    incident = known_incidents(whole, schema) if labelled else np.zeros(len(whole), dtype=bool)
    frame = whole[~incident] if labelled else whole
    timeline = timeline_of(frame, schema)
    held = windows(feature_values(frame, schema), schema.window, timeline)
    timeline = None if timeline is None else subset(timeline, held.end)
    scored = scorer(held.rows)
    refuse_not_finite_scores(scored.score)
    newest = held.rows[:, -len(schema.features) :]
    postprocessing = ScorePostprocessing(smoothing.rows)
    served = postprocess(scored.score, scored.error, newest, timeline, postprocessing)
    fair = served.score
    if contexts.by != "none":
        fitted, fair = fit_contexts(
            served.score, newest, timeline, contexts, schema.features, alpha=config.alpha
        )
        postprocessing = ScorePostprocessing(smoothing.rows, fitted)
        served = postprocess(scored.score, scored.error, newest, timeline, postprocessing)
    logs = np.log(np.maximum(fair, np.finfo(np.float32).tiny))
    least, greatest = float(fair.min()), float(fair.max())
    effective = float(len(logs)) if timeline is None else effective_rows(logs, timeline)
    if labelled:
        by_label = labelled_scores(whole, incident, schema, scorer, postprocessing, fair)
        refuse_not_finite_scores(by_label.faulty)
        threshold = estimate_from_labels(by_label, config, n_effective=effective)
        # A threshold below every normal row can be the best one; one above them all never is.
        least = min(least, float(by_label.faulty.min(initial=least)))
    else:
        threshold = estimate_threshold(fair, config, n_effective=effective)
    log.info(
        "threshold_estimated", value=threshold.value, rows=len(logs), effective=round(effective)
    )
    rho = 0.0 if timeline is None else autocorrelation(logs, timeline)
    return Calibration(
        threshold=threshold,
        summary=_summary(served, rho, (least, greatest)),
        reference=sample_reference(newest, served.score.astype(np.float32), timeline),
        golden=sample_golden(held.rows, scored.score, threshold.value, scorer),
        postprocessing=postprocessing,
    )


def estimate_threshold(
    scores: NDArray[np.floating], config: Threshold, *, n_effective: float
) -> ThresholdEstimate:
    """The threshold of finite normal scores by the configured method.

    Raises:
        CalibrationError: too few effective rows for the method, and no small-sample rule allowed;
            or a method that needs labels, of which there are none here.
    """
    refuse_not_finite_scores(scores)
    if config.method == "cost_weighted":
        msg = (
            "threshold.method cost_weighted needs labels, and there are none here; set "
            "threshold.method to conformal."
        )
        raise CalibrationError(msg)
    limit = max(config.minimum_rows, least_rows(config.alpha))
    if config.method == "hill" or len(scores) >= limit:
        return method_of(config)(scores, alpha=config.alpha, n_effective=n_effective)
    if config.small_sample == "hill":
        return THRESHOLDS["hill"](scores, alpha=config.alpha, n_effective=n_effective)
    msg = (
        f"{len(scores):,} calibration rows are too few for an alpha of {config.alpha:g}; at "
        f"least {limit:,} are needed. Provide more normal rows (a longer split.training_days or a "
        "larger split.calibration), or set threshold.small_sample: hill for a low-confidence "
        "threshold."
    )
    raise CalibrationError(msg)


def refuse_not_finite_scores(scores: NDArray[np.floating]) -> None:
    """Refuse scores that are not finite.

    Raises:
        CalibrationError: a score is not a finite number.
    """
    bad = int((~np.isfinite(scores)).sum())
    if bad:
        msg = (
            f"{bad:,} of {len(scores):,} calibration scores are not finite numbers. "
            "Fit again with a lower model.learning_rate: the network has diverged."
        )
        raise CalibrationError(msg)


def score_quantiles(scores: NDArray[np.floating]) -> dict[str, float]:
    """Quantiles of the scores, by level."""
    levels = np.quantile(scores.astype(np.float64), _QUANTILES)
    return {f"{q:g}": float(value) for q, value in zip(_QUANTILES, levels, strict=True)}


def _summary(
    scored: PostprocessedScores, rho: float, between: tuple[float, float]
) -> CalibrationSummary:
    usual = scored.error.astype(np.float64).mean(axis=0)
    return CalibrationSummary(
        rows=len(scored.score),
        autocorrelation=rho,
        quantiles=score_quantiles(scored.score),
        feature_error=tuple(usual.tolist()),
        drawn_between=between,
    )


def known_incidents(frame: pd.DataFrame, schema: Schema) -> Mask:
    """Rows of incidents that are known from labels or from the source's own column."""
    if schema.source_columns is None:
        return labelled_incident(frame)
    return incident_rows(frame, Columns.model_validate(schema.source_columns))


def labelled_scores(
    frame: pd.DataFrame,
    incident: Mask,
    schema: Schema,
    scorer: Scorer,
    postprocessing: ScorePostprocessing,
    normal: NDArray[np.float64],
) -> LabelledScores:
    """Postprocessed scores of the `incident` rows of `frame` and of the normal ones.

    An incident is an unbroken run of such rows; where rows have no time, each row is an incident.
    """
    if not incident.any():
        return LabelledScores(normal, np.zeros(0), np.zeros(0, dtype=np.intp))
    timeline = timeline_of(frame, schema)
    cut = windows(feature_values(frame, schema), schema.window, timeline)
    scored = scorer(cut.rows)
    timeline = None if timeline is None else subset(timeline, cut.end)
    newest = cut.rows[:, -len(schema.features) :]
    score = postprocess(scored.score, scored.error, newest, timeline, postprocessing).score
    faulty = incident[cut.end]
    number = np.arange(len(score), dtype=np.intp)
    if timeline is not None:
        for place, episode in enumerate(episodes(faulty, timeline)):
            number[episode.rows] = place
    return LabelledScores(normal, score[faulty], number[faulty])

"""The gate's input, in plain numbers, and its results. Nothing here loads a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pipeline.detector.bundle.lineage import BundleKind
from pipeline.drift import Kind
from pipeline.evaluation.detectability import Detectable
from pipeline.evaluation.paired import FaultLoss
from pipeline.evaluation.rate import RealisedRate

Verdict = Literal["pass", "fail", "skip"]

NOT_JUDGED = "not judged"
NOT_PLANTED = (
    "No fault could be planted: too few rows of a machine follow each other at schema.cadence. "
    "Set schema.cadence to the time between two rows, or have the source deliver the rest."
)
"""Why injected faults could not be judged, and what to do."""


@dataclass(frozen=True)
class Wording:
    """What differs between the cards of two candidates that are asked the same question.

    Attributes:
        rows_check: name of the check of the rows behind the threshold.
        rows: what these rows are.
        more_rows: the key of the detector file that gives more of them.
        days: the days that alerts are counted over; `{}` is their number.
        champion: what the candidate is compared with.
        nothing_caught: why past incidents cannot be compared.
        incidents_kept: all that the champion catches are still caught.
        incidents_lost: what to do where one is not; empty, or one sentence after a space.
        size_check: name of the check of the faults that both were given.
        sizes_lost: what to do where faults are not caught any more; as `incidents_lost`.
    """

    rows_check: str
    rows: str
    more_rows: str
    days: str
    champion: str
    nothing_caught: str
    incidents_kept: str
    incidents_lost: str
    size_check: str
    sizes_lost: str


BEYOND_BOUNDS = (
    "Label the held episodes and run again; or run again with accept_beyond_bounds and a reason "
    "(at the command line: --accept-beyond-bounds --reason); "
    "or train, if the machine has changed."
)
"""What to do about a threshold that moved too far."""

OF_TRAINED = Wording(
    rows_check="enough_calibration_rows",
    rows="calibration rows",
    more_rows="split.training_days",
    days="the same {} recent days",
    champion="the champion",
    nothing_caught="the champion caught no past incident in these rows",
    incidents_kept="Every past incident that the champion caught is still caught.",
    incidents_lost="",
    size_check="fault_size_vs_champion",
    sizes_lost="",
)
OF_RECALIBRATED = Wording(
    rows_check="enough_rows",
    rows="rows",
    more_rows="recalibration.window_days",
    days="the {} days of the window",
    champion="the live threshold",
    nothing_caught="no confirmed incident that the live threshold catches",
    incidents_kept="Every confirmed incident that the live threshold catches is still caught.",
    incidents_lost=" Label what raised the threshold, or train.",
    size_check="fault_size",
    sizes_lost=f" {BEYOND_BOUNDS}",
)


@dataclass(frozen=True)
class OpenCaseFlags:
    """What candidate and champion flag of the rows of open cases, without muting.

    Attributes:
        rows: scored by both.
        candidate: flagged by the candidate.
        champion: flagged by the champion.
        lost: flagged by the champion alone.
        gained: flagged by the candidate alone.
    """

    rows: int
    candidate: float
    champion: float
    lost: float
    gained: float


@dataclass(frozen=True)
class OpenShift:
    """What the training ranges make of an open shift.

    Attributes:
        channel: that has shifted.
        machine: of which machine; empty where there is one.
        rows: of the shift that lie outside the champion's range.
        outside: of these, rows outside the candidate's range.
    """

    channel: str
    machine: str
    rows: int
    outside: float


@dataclass(frozen=True)
class CandidateFacts:
    """The measurements of any candidate.

    Attributes:
        kind: how it came to be.
        words: how a check that both kinds answer speaks of this one.
        rows: scores that the threshold was estimated from.
        rows_effective: what they are worth as independent rows.
        days: days that candidate and champion were both replayed over.
        alerts_per_day: over those days.
        incidents: past incidents that were replayed.
        incidents_caught: names of those with a flagged row.
        fault_size: smallest injected fault that is caught, by kind; None: no size is caught.
        fault_loss: faults that it catches less often than the champion, episode by episode, by
            kind; empty without a champion.
    """

    kind: ClassVar[BundleKind]
    words: ClassVar[Wording]

    rows: int
    rows_effective: float
    days: int
    alerts_per_day: float
    incidents: int
    incidents_caught: tuple[str, ...]
    fault_size: dict[str, float | None]
    fault_loss: dict[str, FaultLoss]


@dataclass(frozen=True)
class TrainedFacts(CandidateFacts):
    """The measurements of a candidate with weights of its own.

    Attributes:
        rate: realised false-positive rate on the test block; None when no row is normal.
        noise_passthrough: of added noise, on held-out normal rows; None, like the next two, where
            the score is not made of a reconstruction.
        explained_variance: of held-out normal rows.
        median_error: on the rows that the champion was measured on too.
        detectable: the smallest injected fault that is caught, with its interval, by kind, and what
            is caught at the size of its limit.
        drift: the drift verdict on the test block, or on the most recent days.
        drift_reason: its sentence.
        bundle_mb: size of the bundle's files, in megabytes.
        latency_ms: to score 1,000 rows, best of three.
        rank_agreement: Spearman correlation with the champion's scores on the same recent rows;
            None without a champion, or if one of the two scores is constant.
        open_cases: rows of open cases as both flag them; None: there are none, or no champion.
        open_shifts: what the ranges of both make of open shifts; empty likewise.
        unscored_days: days of the window that were never scored, though a version was live.
    """

    kind: ClassVar[BundleKind] = "trained"
    words: ClassVar[Wording] = OF_TRAINED

    rate: RealisedRate | None
    noise_passthrough: float | None
    explained_variance: float | None
    median_error: float | None
    detectable: dict[str, Detectable]
    drift: Kind
    drift_reason: str
    bundle_mb: float
    latency_ms: float
    rank_agreement: float | None = None
    open_cases: OpenCaseFlags | None = None
    open_shifts: tuple[OpenShift, ...] = ()
    unscored_days: int = 0


@dataclass(frozen=True)
class Move:
    """How far the threshold or the scores moved, against the bound.

    Attributes:
        value: the relative change: 0.2 is 20 % up.
        limit: the change that is allowed without asking.
        crossed: why nothing may go live before a person has decided; empty: within the bound, or
            no further than chance explains.
    """

    value: float
    limit: float
    crossed: str = ""


@dataclass(frozen=True)
class RecalibratedFacts(CandidateFacts):
    """The measurements of a new threshold for the champion's weights.

    Attributes:
        step: from the recalibrated version's threshold.
        total: from the anchor.
        creep: of the scores' level, a month.
        degradation: of the share of rows above a level of the accepted state.
        accepted: the person who accepted crossed bounds, and the reason; empty: nobody.
    """

    kind: ClassVar[BundleKind] = "recalibrated"
    words: ClassVar[Wording] = OF_RECALIBRATED

    step: Move
    total: Move
    creep: Move
    degradation: Move
    accepted: str


@dataclass(frozen=True)
class ChampionFacts:
    """The measurements of the live version, on the same rows, days, incidents and faults.

    Attributes:
        version: its number.
        median_error: None where its score is not made of a reconstruction, or where the candidate
            has its weights.
        alerts_per_day: as the candidate's.
        incidents_caught: likewise.
        fault_size: likewise.
        explained_variance: None as `median_error` is.
        same_kind: whether it has the candidate's family and loss. If not, the reconstruction
            errors are not comparable: a bottleneck that detects well leaves more of a row
            unexplained than a wide network that detects as well.
        threshold_rows: independent rows that its threshold rests on; None where the candidate has
            other weights.
    """

    version: int
    median_error: float | None
    alerts_per_day: float
    incidents_caught: tuple[str, ...]
    fault_size: dict[str, float | None]
    explained_variance: float | None = None
    same_kind: bool = True
    threshold_rows: float | None = None


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: key of CHECKS.
        verdict: `skip` when there is nothing to compare with; it does not block.
        value: the measured value, as text.
        limit: the required value, as text.
        reason: one sentence; for a failure, what it means or what to do.
        champion: the champion's value, where the check compares.
        measured: `value` as a number, for charts; None where it is not a number.
    """

    name: str
    verdict: Verdict
    value: str
    limit: str
    reason: str
    champion: str = "-"
    measured: float | None = None


def verdict(*, passed: bool) -> Verdict:
    """The verdict of a check: `pass` or `fail`."""
    return "pass" if passed else "fail"


def no_champion(name: str, value: str, limit: str) -> CheckResult:
    """The result of a check that has nothing to compare with."""
    return CheckResult(name, "skip", value=value, limit=limit, reason="skip: no champion yet.")

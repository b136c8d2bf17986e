"""The verdict on a day from the faults of its rows, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import DetectorSpec, Validation
from pipeline.data.faults import RULES
from pipeline.data.grid import cadence_ns, slots_of
from pipeline.data.missing_channels import MissingChannel
from pipeline.data.resting import Resting

Verdict = Literal["validated", "quarantined", "empty"]
_GAPS_SHOWN = 4
_CAUSES_SHOWN = 3


@dataclass(frozen=True)
class Report:
    """The result of validation for one day.

    Attributes:
        day: the UTC day.
        expected: rows that the machines should have sent.
        delivered: rows that came.
        accepted: rows that became telemetry; 0 when the day is blocked.
        rejected: rows in quarantine by reason, `rule` or `rule:feature`.
        completeness: share of expected rows that came with a measurement; None if none expected.
        verdict: `quarantined` means that the whole day is blocked.
        reasons: why it is blocked, each with value, limit and fix.
        partial: accepted rows without a channel that failed.
        missing: which channels these are.
        resting: the channels that have never moved by the end of the day; None: nothing was on
            record, and no row came.
    """

    day: date
    expected: int
    delivered: int
    accepted: int
    rejected: dict[str, int]
    completeness: float | None
    verdict: Verdict
    reasons: tuple[str, ...]
    partial: int = 0
    missing: tuple[MissingChannel, ...] = ()
    resting: tuple[Resting, ...] | None = None


def blocking_reasons(
    measured: Mapping[str, NDArray[np.int64]],
    rejected: Mapping[str, NDArray[np.object_]],
    judged_rows: int,
    spec: DetectorSpec,
    day: date,
) -> Iterator[str]:
    """The reasons for which the whole day is refused; none if it is not.

    Args:
        measured: grid points with a measurement, for each expected machine.
        rejected: rule, feature, entity and detail of each rejected row that counts against the day.
        judged_rows: rows of which `rejected` is a part.
        spec: for its limits.
        day: the UTC day.
    """
    yield from _incomplete(measured, spec, day)
    if judged_rows and len(rejected["rule"]) / judged_rows > spec.validation.maximum_rejected:
        yield _too_many_rejected(pd.DataFrame(dict(rejected)), judged_rows, spec.validation)


def _incomplete(
    measured: Mapping[str, NDArray[np.int64]], spec: DetectorSpec, day: date
) -> Iterator[str]:
    grid = slots_of(day, spec.columns.cadence)
    expected = len(grid) * len(measured)
    present = sum(len(np.intersect1d(grid, seen)) for seen in measured.values())
    limit = spec.validation.minimum_completeness
    if expected == 0 or present / expected >= limit:
        return
    step = cadence_ns(spec.columns.cadence)
    gaps = [gap for name, seen in measured.items() for gap in _gaps(name, grid, seen, step)]
    gaps.sort(key=lambda gap: -gap[0])
    shown = ", ".join(text for _, text in gaps[:_GAPS_SHOWN])
    more = f" and {len(gaps) - _GAPS_SHOWN} more gaps" if len(gaps) > _GAPS_SHOWN else ""
    yield (
        f"{present} of {expected} expected rows came with a measurement "
        f"({present / expected:.0%}): missing {shown}{more}; limit {limit:.0%}: have the source "
        "deliver the rest and ingest the day again, or lower validation.minimum_completeness"
    )


def _gaps(
    name: str, grid: NDArray[np.int64], seen: NDArray[np.int64], step: int
) -> Iterator[tuple[int, str]]:
    """Rows and description of each unbroken gap of one machine."""
    absent = np.setdiff1d(grid, seen)
    for gap in np.split(absent, np.flatnonzero(np.diff(absent) != step) + 1):
        if len(gap):
            first, last = (pd.Timestamp(moment).strftime("%H:%M") for moment in (gap[0], gap[-1]))
            yield len(gap), f"{name or 'rows'} {first} to {last} ({len(gap)} rows)"


def _too_many_rejected(rejected: pd.DataFrame, judged_rows: int, limits: Validation) -> str:
    texts = []
    fix = ""
    by_cause = rejected.fillna({"feature": ""}).groupby(["rule", "feature"])
    causes = {(str(rule), str(feature)): rows for (rule, feature), rows in by_cause}
    for (rule, feature), rows in sorted(causes.items(), key=lambda cause: -len(cause[1])):
        texts.append(_cause(rule, feature, rows["entity"]))
        fix = fix or RULES[rule].format(feature=feature, detail=rows["detail"].iloc[0])
    return (
        f"rejected {len(rejected)} of {judged_rows} rows ({len(rejected) / judged_rows:.0%}): "
        f"{'; '.join(texts[:_CAUSES_SHOWN])}; limit {limits.maximum_rejected:.0%}: {fix}, then "
        "ingest the day again"
    )


def _cause(rule: str, feature: str, entities: pd.Series) -> str:
    names = sorted(set(entities.dropna()))
    shown = names if len(names) <= _GAPS_SHOWN else [*names[:_GAPS_SHOWN], "..."]
    where = f" on {', '.join(shown)}" if shown else ""
    what = f"{rule.replace('_', ' ')} {feature}".strip()
    return f"{what}{where} ({len(entities)} rows)"

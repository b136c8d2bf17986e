"""The realised false-positive rate of partial rows: does the threshold keep its promise for them?

The threshold is estimated on whole rows. A row that lacks a channel has one error fewer, and the
errors of the others are those of a network that was shown an expectation: its score may be lower
or higher. Failed sensors are rare in a test block, so each channel is hidden in turn, as if its
sensor had failed, on the same normal rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import DetectorSpec
from pipeline.data.channels import channels
from pipeline.data.split import normal_rows
from pipeline.detector.bundle.bundle import Bundle
from pipeline.detector.inputs.frames import feature_values, timeline_of
from pipeline.scoring import score_values

_MOST = 500_000
"""Rows times channels: each is scored a dozen times, and more would take minutes."""


@dataclass(frozen=True)
class RateWithout:
    """The share of normal rows above the threshold while one channel is hidden."""

    channel: str
    rate: float


@dataclass(frozen=True)
class PartialRates:
    """The rates of the same normal rows, whole and without each channel in turn.

    Attributes:
        rows: number of normal rows.
        whole: rate of the whole rows.
        without: rate without each channel, highest first.
    """

    rows: int
    whole: float
    without: tuple[RateWithout, ...]

    @property
    def mean(self) -> float:
        """The mean rate over channels."""
        return float(np.mean([each.rate for each in self.without]))

    @property
    def worst(self) -> RateWithout:
        """The channel without which most normal rows are flagged."""
        return self.without[0]


def partial_rates(bundle: Bundle, frame: pd.DataFrame, spec: DetectorSpec) -> PartialRates | None:
    """The rates on the newest rows of `frame`; `bundle` was fitted with the columns of `spec`.

    None where no row can be partial: values may be missing, or a row needs every channel.
    """
    known = channels(spec.columns)
    if bundle.schema.takes_missing or spec.minimum_channels >= len(known):
        return None
    frame = frame.tail(_MOST // len(known))
    values = feature_values(frame, bundle.schema)
    timeline = timeline_of(frame, bundle.schema) if bundle.needs_timeline else None
    whole = score_values(bundle, values, timeline)
    counted = whole.complete & normal_rows(frame, spec.columns)
    judged = [each for each in known if each.judged]
    if not counted.any():
        return None
    found = []
    for channel in known:
        if judged == [channel]:
            continue  # without it nothing is judged, and such a row is in quarantine
        hidden = np.zeros(values.shape, dtype=bool)
        hidden[:, list(channel.columns)] = True
        flagged = score_values(bundle, values, timeline, hidden).flagged
        found.append(RateWithout(channel.name, float(flagged[counted].mean())))
    return PartialRates(
        rows=int(counted.sum()),
        whole=float(whole.flagged[counted].mean()),
        without=tuple(sorted(found, key=lambda each: (-each.rate, each.channel))),
    )


def partial_sentence(rates: PartialRates) -> str:
    """One sentence for cards, on rows whose rate the threshold does not promise."""
    worst = rates.worst
    return (
        f"Without one channel, each hidden in turn as if its sensor had failed on {rates.rows:,} "
        f"normal rows, {rates.mean:.2%} are above it in the mean, and {worst.rate:.2%} without "
        f"{worst.channel}; of the whole rows {rates.whole:.2%}."
    )

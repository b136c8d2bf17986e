"""The words in which a check that both kinds of candidate answer speaks of one of them."""

from __future__ import annotations

from dataclasses import dataclass


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
        size_check: name of the check of the smallest fault that is caught.
        sizes_alike: no fault has to be named.
        sizes_kept: what was compared; `{:.0%}` is the share that counts as caught.
        sizes_lost: what to do where faults are not caught any more; as `incidents_lost`.
        names_smaller_sizes: whether kinds of which smaller faults are caught are named as well.
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
    sizes_alike: str
    sizes_kept: str
    sizes_lost: str
    names_smaller_sizes: bool


BEYOND_BOUNDS = (
    "Label the held episodes and run again; or run again with accept_beyond_bounds and a reason; "
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
    sizes_alike="alike in every kind",
    sizes_kept="Smallest size of which {:.0%} is caught, kind by kind.",
    sizes_lost="",
    names_smaller_sizes=True,
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
    sizes_alike="no blinder in any kind",
    sizes_kept="Smallest injected fault that is caught, kind by kind.",
    sizes_lost=f" {BEYOND_BOUNDS}",
    names_smaller_sizes=False,
)

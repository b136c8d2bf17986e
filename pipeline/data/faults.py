"""The rules that a row can break, and the record of which row broke which. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.data.raw_values import ALLOWED

Mask = NDArray[np.bool_]

RULES: dict[str, str] = {
    "unusable_time": "deliver timestamps in UTC or with their offset",
    "outside_day": "deliver each row with the day that its UTC timestamp belongs to",
    "off_grid": "deliver timestamps on the cadence, or raise validation.cadence_tolerance",
    "unknown_entity": "add the machine to schema.entities, or correct its name",
    "no_measurement": "find out why the machine sent nothing",
    "duplicate": "deliver each row once",
    "conflicting_duplicate": "deliver one row for each machine and time",
    "implausible_day": "check the unit of {feature}, or widen its day_median",
    "stuck_sensor": "repair the sensor of {feature}, or raise its stuck_after",
    "constant_sensor": "repair the sensor of {feature}, or set its may_be_constant",
    "wrong_type": "deliver {feature} as a number",
    "unreadable_mark": f"deliver {{feature}} as true or false ({ALLOWED})",
    "missing_value": "deliver every value of {feature}",
    "too_many_missing": "deliver more of its values, or raise validation.missing_cells",
    "not_finite": "deliver {feature} without inf, and no larger than 3.4e38",
    "out_of_range": "check the unit of {feature}, or widen its range",
    "too_small": "deliver {feature} in a smaller unit, so that float32 can distinguish it from 0",
    "lost_precision": "{detail}",
    "too_few_peers": "wait for the other machines' rows, or lower minimum_peers",
}
"""Rule -> fix, or the detail of its first row where that names the fix. A row that breaks several
rules is filed under the one that comes first here."""

HARMLESS = ("no_measurement", "duplicate")
"""Rejected rows that do not count against their day. A row without any measurement counts as not
delivered, so the completeness check covers it."""

CELL_RULES = (
    "implausible_day",
    "stuck_sensor",
    "constant_sensor",
    "wrong_type",
    "missing_value",
    "not_finite",
    "out_of_range",
    "too_small",
    "lost_precision",
)
"""Rules about one channel: they cost the row that cell, and not the others."""

_PRIORITY = {rule: place for place, rule in enumerate(RULES)}
_NONE = len(RULES)
_ALL = slice(None)


class CellFaults:
    """For each of n cells of one channel, the gravest rule that it broke so far, with detail."""

    def __init__(self, n: int) -> None:
        self._place = np.full(n, _NONE)
        self.detail = np.full(n, None, dtype=object)

    @property
    def any(self) -> Mask:
        """Cells that broke a rule."""
        return self._place < _NONE

    def rules_of(self, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """The rule of each of `rows` (positions); None for a cell without fault."""
        return _named(self._place[rows])

    def broke(self, *rules: str, rows: NDArray[np.intp]) -> Mask:
        """Which of `rows` (positions) have a cell that is filed under one of `rules`."""
        return np.isin(self._place[rows], [_PRIORITY[rule] for rule in rules])

    def add(self, rows: NDArray[np.intp], rule: str, detail: NDArray[np.object_] | str) -> None:
        """File `rows` (positions) under `rule`, unless they broke a graver one before."""
        graver = _PRIORITY[rule] < self._place[rows]
        self._place[rows[graver]] = _PRIORITY[rule]
        self.detail[rows[graver]] = detail if isinstance(detail, str) else detail[graver]


class Faults:
    """For each of n rows, the gravest rule that it broke so far, with feature and detail.

    Attributes:
        feature: that the gravest rule is about; None: about the row.
        detail: in words.
        cells: the same for each channel by itself, of CELL_RULES; absent where it broke none.
        rejected: rows of which nothing is fit for use: they broke a rule about the row, or keep
            too few channels (`pipeline.data.channels_left`).
    """

    def __init__(self, n: int) -> None:
        self._place = np.full(n, _NONE)
        self.feature = np.full(n, None, dtype=object)
        self.detail = np.full(n, None, dtype=object)
        self.cells: dict[str, CellFaults] = {}
        self.rejected = np.zeros(n, dtype=bool)

    @property
    def any(self) -> Mask:
        """Rows that broke a rule, be it with one cell."""
        return self._place < _NONE

    def rules_of(self, rows: NDArray[np.intp]) -> NDArray[np.object_]:
        """The rule of each of `rows` (positions); None for a row without fault."""
        return _named(self._place[rows])

    def cell(self, feature: str) -> Mask:
        """Rows whose cell of `feature` broke a rule, shape (n,)."""
        held = self.cells.get(feature)
        return np.zeros(len(self._place), dtype=bool) if held is None else held.any

    def broke(self, *rules: str, rows: NDArray[np.intp] | slice = _ALL) -> Mask:
        """Which of `rows` (positions; all by default) are filed under one of `rules`."""
        return np.isin(self._place[rows], [_PRIORITY[rule] for rule in rules])

    def add(
        self,
        rows: NDArray[np.intp],
        rule: str,
        feature: str | None,
        detail: Sequence[str] | NDArray[np.object_] | str,
    ) -> None:
        """File `rows` (positions) under `rule`, unless they broke a graver one before."""
        if not len(rows):
            return
        said = detail if isinstance(detail, str) else np.asarray(detail, dtype=object)
        if feature is not None and rule in CELL_RULES:
            self.cells.setdefault(feature, CellFaults(len(self._place))).add(rows, rule, said)
        else:
            self.rejected[rows] = True
        graver = _PRIORITY[rule] < self._place[rows]
        filed = rows[graver]
        self._place[filed] = _PRIORITY[rule]
        self.feature[filed] = feature
        self.detail[filed] = said if isinstance(said, str) else said[graver]

    def reject(self, rows: NDArray[np.intp], why: Sequence[str]) -> None:
        """Reject `rows` (positions) that broke a rule with some cells, and say why as well."""
        self.rejected[rows] = True
        self.detail[rows] = [
            f"{detail}; {reason}" for detail, reason in zip(self.detail[rows], why, strict=True)
        ]


def _named(places: NDArray[np.int_]) -> NDArray[np.object_]:
    names: NDArray[np.object_] = np.array([*RULES, None], dtype=object)[places]
    return names


def counted(rejected: pd.DataFrame) -> dict[str, int]:
    """Rows by reason, `rule` or `rule:feature`, most frequent first."""
    pairs = Counter(zip(rejected["rule"], rejected["feature"], strict=True))
    counts = {f"{rule}:{name}" if name else str(rule): n for (rule, name), n in pairs.items()}
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))

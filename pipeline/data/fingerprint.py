"""Hashes of rows by their content, and the difference between two sets of rows. Pure.

A hash depends neither on the order of rows nor on the types of a reader.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import DetectorSpec

_BLOCK = 16_384
_MIXING = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))
_LAST_SHIFT = 31
"""pandas' way to spread numbers over 64 bits (the finaliser of SplitMix64: Steele et al., 2014)."""


def row_hashes(frame: pd.DataFrame, *, names: Collection[str] = ()) -> NDArray[np.uint64]:
    """A 64-bit hash of each row; equal rows have equal hashes, whatever the columns' order.

    The columns `names` hold names of machines: "1" and "1.0" are two of them, and numbers beyond
    2^53 have different hashes.
    """
    total = np.zeros(len(frame), dtype=np.uint64)
    for name in sorted(frame.columns):
        seed = int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:8], "big") | 1
        values = frame[name]
        hashes = _name_hashes(values) if name in names else _value_hashes(values)
        total += hashes * np.uint64(seed)
    return total


def fingerprint(hashes: NDArray[np.uint64], names: Iterable[str]) -> str:
    """SHA-256 of a set of rows: of their sorted hashes and of the column names."""
    digest = hashlib.sha256(json.dumps(sorted(names)).encode())
    digest.update(np.sort(hashes).tobytes())
    return digest.hexdigest()


def contract_hash(spec: DetectorSpec) -> str:
    """SHA-256 of the sections that decide which rows are valid."""
    sections = {
        "schema": spec.columns.model_dump(mode="json"),
        "validation": spec.validation.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(sections, sort_keys=True).encode()).hexdigest()


def _value_hashes(values: pd.Series) -> NDArray[np.uint64]:
    """Numbers hash as float64, so that 1, 1.0 and "1" agree; only other text hashes as text."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _number_hashes(values.dt.as_unit("ns").astype("int64").to_numpy(), np.int64)
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiub":
        return _number_hashes(values.to_numpy())
    if isinstance(values.dtype, pd.CategoricalDtype):
        known = pd.Series([*values.dtype.categories, None], dtype=object)  # -1 is: absent
        by_name: NDArray[np.uint64] = _plain_hashes(known)[values.cat.codes]
        return by_name
    if values.dtype == object:
        # Reading numbers from text is slow, and a name repeats in thousands of rows.
        place, distinct = pd.factorize(values, use_na_sentinel=False)
        hashed: NDArray[np.uint64] = _plain_hashes(pd.Series(distinct, dtype=object))[place]
        return hashed
    return _plain_hashes(values)


def _name_hashes(values: pd.Series) -> NDArray[np.uint64]:
    place, distinct = pd.factorize(values.to_numpy(dtype=object), use_na_sentinel=False)
    absent = pd.isna(distinct)
    hashed = pd.util.hash_array(np.full(len(distinct), np.nan))
    hashed[~absent] = pd.util.hash_array(distinct[~absent].astype(str).astype(object))
    by_row: NDArray[np.uint64] = hashed[place]
    return by_row


def _number_hashes(values: NDArray[Any], kind: type[np.generic] = np.float64) -> NDArray[np.uint64]:
    """The hashes of `pandas.util.hash_array` for float64 (times: int64), block by block.

    A block stays in the processor's cache, so it takes a third of the time.
    """
    hashes = np.empty(len(values), dtype=np.uint64)
    for first in range(0, len(values), _BLOCK):
        bits = hashes[first : first + _BLOCK]
        bits[:] = values[first : first + _BLOCK].astype(kind).view(np.uint64)
        for shift, factor in _MIXING:
            bits ^= bits >> shift
            bits *= factor
        bits ^= bits >> _LAST_SHIFT
    return hashes


def _plain_hashes(values: pd.Series) -> NDArray[np.uint64]:
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    hashes = pd.util.hash_array(numbers.to_numpy())
    text = values.notna() & numbers.isna()
    if text.any():
        hashes[text.to_numpy()] = pd.util.hash_array(
            values[text].astype(str).to_numpy(dtype=object)
        )
    return hashes


@dataclass(frozen=True)
class Difference:
    """The difference between the rows of a day and those before; keys are time, entity.

    Attributes:
        added: rows with a key that was not there.
        removed: rows whose key is gone.
        changed: rows with other content.
        unknown: the rows before could not be read, so that the numbers say nothing.
    """

    added: int
    removed: int
    changed: int
    unknown: bool = False

    @property
    def any(self) -> bool:
        """Whether there is a difference at all, or may be."""
        return bool(self.added or self.removed or self.changed or self.unknown)


def differences(
    before: pd.DataFrame, after: pd.DataFrame, key: Sequence[str] | None
) -> dict[date, Difference]:
    """For each day in the column `date` the difference between its rows `before` and `after`.

    A row counts as changed when its key is on both sides and its content is not. Without `key`, a
    row is its own key. A column that one side does not have is null there: a column that the
    detector file no longer has makes no difference by itself.
    """
    old, new = _day_sizes(before), _day_sizes(after)
    found = {day: Difference(rows, 0, 0) for day, rows in new.items()}
    found |= {day: Difference(0, rows, 0) for day, rows in old.items()}
    both = old.keys() & new.keys()  # only these need a look at the rows, and none in a first load
    if not both:
        return found
    sides = (_with_columns_of(before, after), _with_columns_of(after, before))
    hashed = [_hashed_by_day(rows[rows["date"].isin(both)], key) for rows in sides]
    return found | {day: _difference(hashed[0][day], hashed[1][day]) for day in both}


def _with_columns_of(rows: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in other.columns if name not in rows]
    if not absent:
        return rows
    return pd.concat([rows, other[absent].iloc[:0].reindex(rows.index)], axis=1)


def _day_sizes(rows: pd.DataFrame) -> dict[date, int]:
    return dict(Counter(rows["date"]))


def _hashed_by_day(rows: pd.DataFrame, key: Sequence[str] | None) -> dict[date, pd.DataFrame]:
    content = rows.drop(columns="date")
    names = [name for name in key or () if content[name].dtype == object]
    hashes = pd.DataFrame({"row": row_hashes(content, names=names)})
    hashes["key"] = row_hashes(content[list(key)], names=names) if key else hashes["row"]
    days = rows["date"].to_numpy()
    return {days[same.index[0]]: same for _, same in hashes.groupby(days)}


def _difference(old: pd.DataFrame, new: pd.DataFrame) -> Difference:
    if old["key"].is_unique and new["key"].is_unique:
        both = old.merge(new, on="key", suffixes=("_old", "_new"))
        changed = int((both["row_old"] != both["row_new"]).sum())
        return Difference(len(new) - len(both), len(old) - len(both), changed)
    counts = new["row"].value_counts().sub(old["row"].value_counts(), fill_value=0)
    return Difference(int(counts.clip(lower=0).sum()), int(-counts.clip(upper=0).sum()), 0)

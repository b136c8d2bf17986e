"""Hashes of rows by their content, not by their order or the types of a reader. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
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

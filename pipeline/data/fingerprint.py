"""Hashes of rows: what they hold counts, not their order or how a reader typed them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import DetectorSpec


def row_hashes(frame: pd.DataFrame) -> NDArray[np.uint64]:
    """A 64-bit hash of each row; equal rows have equal hashes, whatever the columns' order."""
    total = np.zeros(len(frame), dtype=np.uint64)
    for name in sorted(frame.columns):
        seed = int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:8], "big") | 1
        total += _value_hashes(frame[name]) * np.uint64(seed)
    return total


def fingerprint(hashes: NDArray[np.uint64], names: Iterable[str]) -> str:
    """SHA-256 of a set of rows: of their sorted hashes and of the column names."""
    digest = hashlib.sha256(json.dumps(sorted(names)).encode())
    digest.update(np.sort(hashes).tobytes())
    return digest.hexdigest()


def contract_hash(spec: DetectorSpec) -> str:
    """SHA-256 of the sections that decide what a row must look like."""
    sections = {
        "schema": spec.columns.model_dump(mode="json"),
        "validation": spec.validation.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(sections, sort_keys=True).encode()).hexdigest()


def _value_hashes(values: pd.Series) -> NDArray[np.uint64]:
    """Numbers hash as float64, so that 1, 1.0 and "1" agree; only other text hashes as text."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        numbers = values.dt.as_unit("ns").astype("int64")
        return pd.util.hash_array(numbers.to_numpy())
    if values.dtype == object:
        # Reading numbers from text is slow, and a name stands in thousands of rows.
        place, distinct = pd.factorize(values, use_na_sentinel=False)
        hashed: NDArray[np.uint64] = _plain_hashes(pd.Series(distinct, dtype=object))[place]
        return hashed
    return _plain_hashes(values)


def _plain_hashes(values: pd.Series) -> NDArray[np.uint64]:
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    hashes = pd.util.hash_array(numbers.to_numpy())
    text = values.notna() & numbers.isna()
    if text.any():
        hashes[text.to_numpy()] = pd.util.hash_array(
            values[text].astype(str).to_numpy(dtype=object)
        )
    return hashes

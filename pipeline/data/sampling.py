"""Sample rows from more than fit into memory: by their numbers alone, before any is read.

A sample depends on the number of rows and the seed, never on how a file is cut into pieces: each
number gets a hash, and the smallest hashes win. So memory grows with the sample, not with the
file.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.utc_day import DAY_NS

_CHUNK = 1 << 20
_SURPLUS = 8.0  # standard deviations of a binomial count: never short of rows
_STRETCHES = 200  # sampled stretches: enough to meet every season and hour of the day


def sample_rows(total: int, most: int, seed: int) -> NDArray[np.int64]:
    """`most` of the numbers below `total`, sampled uniformly, in order.

    All of them when there are no more than that.
    """
    if total <= most:
        return np.arange(total, dtype=np.int64)
    share = (most + _SURPLUS * math.sqrt(most) + _SURPLUS) / total
    limit = np.uint64(min(int(share * 2**64), 2**64 - 1))
    numbers, hashes = [], []
    for first in range(0, total, _CHUNK):
        chunk = np.arange(first, min(first + _CHUNK, total), dtype=np.int64)
        hashed = _hashed(chunk, seed)
        near = hashed <= limit
        numbers.append(chunk[near])
        hashes.append(hashed[near])
    near_numbers = np.concatenate(numbers)
    first_by_hash = np.argsort(np.concatenate(hashes), kind="stable")[:most]
    return np.sort(near_numbers[first_by_hash])


def sample_stretches(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.bool_]:
    """A sample of stretches, given the rows in each, that hold `most` rows at most together.

    A mask of the shape of `rows`. Each stretch is as likely as any other; one that would not fit
    any more is passed over.
    """
    chosen = np.zeros(len(rows), dtype=bool)
    held = 0
    for number in np.argsort(_hashed(np.arange(len(rows), dtype=np.int64), seed), kind="stable"):
        if held + rows[number] <= most:
            chosen[number] = True
            held += int(rows[number])
    return chosen


def stretch_ns(span_ns: int, *, total: int, most: int, least_ns: int) -> int:
    """Length of the stretches of time to sample: some 200 of them will fit, a day at most.

    Neighbouring rows must stay together, for windows and to measure how alike they are; and many
    short stretches represent the whole better than few long ones. Never below `least_ns`.
    """
    return max(min(span_ns * most // (total * _STRETCHES), DAY_NS), least_ns, 1)


def _hashed(numbers: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """SplitMix64 of each number (Steele et al., OOPSLA 2014): uniform in 64 bits."""
    mixed = numbers.astype(np.uint64)
    mixed = (mixed + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))

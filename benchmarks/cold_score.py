"""The time from a cold start to scores on disk: 100,000 rows of 36 features, default detector.

`make bench-cold-score`. Each try is a process of its own, so imports, loading, verifying the
bundle, reading and writing all count.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

ROWS, FEATURES, TRIES = 100_000, 36, 7


def made_rows(rows: int, seed: int) -> pd.DataFrame:
    """Rows with eight latent variables, so that there is something to reconstruct."""
    mixing = np.random.default_rng(0).normal(size=(8, FEATURES))
    random = np.random.default_rng(seed)
    values = np.tanh(random.normal(size=(rows, 8)) @ mixing) + 0.1 * random.normal(
        size=(rows, FEATURES)
    )
    return pd.DataFrame(values.astype(np.float32), columns=[f"m{n:02}" for n in range(FEATURES)])


def pipeline(*arguments: str) -> float:
    """Seconds that `python -m pipeline ...` takes."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "pipeline", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    return time.perf_counter() - began


def main() -> None:
    """Fit once, score several times, print the spread."""
    with tempfile.TemporaryDirectory() as scratch:
        train, rows = Path(scratch) / "train.parquet", Path(scratch) / "rows.parquet"
        bundle, scores = Path(scratch) / "bundle", Path(scratch) / "scores.parquet"
        made_rows(10_000, seed=1).to_parquet(train)
        made_rows(ROWS, seed=2).to_parquet(rows)
        fit_s = pipeline("fit", "--train", str(train), "--out", str(bundle))
        score = ("score", "--bundle", str(bundle), "--data", str(rows), "--out", str(scores))
        took = sorted(pipeline(*score) for _ in range(TRIES))
    print(f"fit    10,000 x {FEATURES}: {fit_s:.2f} s, imports included")
    print(
        f"score {ROWS:,} x {FEATURES}: median {median(took):.2f} s of {TRIES} cold starts "
        f"({took[0]:.2f} to {took[-1]:.2f}), imports included"
    )


if __name__ == "__main__":
    main()

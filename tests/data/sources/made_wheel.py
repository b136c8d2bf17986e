"""A made stand-in for the `openoa` wheel: the same layout, invented values, a few days."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data.sources import openoa_wheel

TURBINES = ("R1", "R2", "R3", "R4")
STOPPED = slice(30, 42)  # rows of R1 with an outage of two hours, each day from the first row


def put_made_wheel(
    cache: Path, monkeypatch: pytest.MonkeyPatch, *, first_day: date, n_days: int
) -> Path:
    """Place the wheel where the download would, and let its hash pass."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("la-haute-borne-data-2014-2015.csv", _scada(first_day, n_days))
        archive.writestr("plant_data.csv", _plant(first_day, n_days))
    wheel = cache / openoa_wheel.FILE
    with zipfile.ZipFile(wheel, "w") as package:
        package.writestr("examples/data/la_haute_borne.zip", inner.getvalue())
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(openoa_wheel, "SHA256", digest)
    return wheel


def _scada(first_day: date, n_days: int) -> str:
    local = pd.date_range(
        pd.Timestamp(first_day, tz="UTC"), periods=144 * n_days, freq="10min"
    ).tz_convert("Europe/Paris")
    rng = np.random.default_rng(0)
    parts = []
    for turbine in TURBINES:
        part = pd.DataFrame(
            rng.uniform(1, 90, (len(local), 7)),
            columns=["Ba_avg", "P_avg", "Ws_avg", "Va_avg", "Ot_avg", "Ya_avg", "Wa_avg"],
        )
        part["P_avg"] = 500 + part["P_avg"]
        part["Ws_avg"] = 7.0
        part.insert(0, "Date_time", [stamp.isoformat() for stamp in local])
        part.insert(0, "Wind_turbine_name", turbine)
        parts.append(part)
    parts[0].loc[STOPPED.start : STOPPED.stop - 1, "P_avg"] = -1.0
    return pd.concat(parts).sample(frac=1, random_state=0).to_csv(index=False)


def _plant(first_day: date, n_days: int) -> str:
    hours = pd.date_range(pd.Timestamp(first_day, tz="UTC"), periods=144 * n_days, freq="10min")
    lost = np.zeros(len(hours))
    lost[STOPPED] = 12.5
    return pd.DataFrame({"time_utc": hours, "availability_kwh": lost}).to_csv(index=False)

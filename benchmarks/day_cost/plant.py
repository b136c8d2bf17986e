"""A made-up plant with a live version, and a history of a given length behind it.

Four machines, eight channels, ten-minute rows, one Parquet file a day. Every fourth day a machine
has a fault of two hours. The same day has the same rows in every world.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pipeline import settings
from pipeline.cli import run_days, run_stages
from pipeline.cli.job import DONE, Job
from pipeline.config import load_detector
from pipeline.data.grid import stretches
from pipeline.monitoring.notice import notice_of
from pipeline.records import to_json
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.steps import drifting, notifying
from pipeline.store.incidents import incidents_between
from pipeline.store.labels import Label, add_labels

NAME = "plant"
MACHINES = ("a", "b", "c", "d")
CHANNELS = tuple(f"channel_{n}" for n in range(8))
ROWS_A_DAY = 144 * len(MACHINES)

_TRAINED = (14, 18)  # days before which the two versions end: the watch needs one to return to
_CHUNK = 61
_ANSWERED_AFTER = timedelta(days=2)
_UNANSWERED = timedelta(days=7)


@dataclass(frozen=True)
class World:
    """One deployment with a history.

    Attributes:
        folder: its tables, its registry and its cache.
        data: the source, which all worlds share.
        database: its PostgreSQL.
        first: the first day of the history.
        history: days of it.
    """

    folder: Path
    data: Path
    database: str
    first: date
    history: int

    def day(self, n: int) -> date:
        """The day `n` days after the first."""
        return self.first + timedelta(days=n)

    def enter(self) -> Deployment:
        """Make this process work here."""
        for part in ("detectors", "cache", "home"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        os.environ |= {  # noqa: TID251 - a deployment of its own
            "PLIMSOLL_STORAGE": str(self.folder / "lake"),
            "PLIMSOLL_DETECTORS": str(self.folder / "detectors"),
            "PLIMSOLL_CACHE": str(self.folder / "cache"),
            "PLIMSOLL_HOME": str(self.folder / "home"),
            "PLIMSOLL_DATA": str(self.data),
            "PLIMSOLL_DATABASE": self.database,
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder}/mlflow.db",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        }
        os.chdir(self.folder)  # MLflow on SQLite keeps artifacts below the working folder
        return settings.load()


def deliver(data: Path, day: date) -> None:
    """Put the rows of one day where the source looks for them."""
    path = data / "plant" / f"{day}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    _rows(day).to_parquet(path, index=False)


def lay(world: World) -> None:
    """Two versions, one after the other, and the history that the second one has scored.

    By `load`, as a first load is; then what production adds each day: drift verdicts, messages, and
    the labels of all but the newest incidents.
    """
    here = world.enter()
    (here.detectors / f"{NAME}.yaml").write_text(yaml.safe_dump(_detector(world.first)))
    _load(here, world, 0, _TRAINED[0])
    _train(here, world, _TRAINED[0])
    _load(here, world, _TRAINED[0], _TRAINED[1])
    _train(here, world, _TRAINED[1])
    _load(here, world, 0, world.history)
    _operate(here, world)


def _load(here: Deployment, world: World, begin: int, end: int) -> None:
    code = run_days.load(
        _job(here, "load"), str(world.day(begin)), str(world.day(end - 1)), again=False
    )
    if code != DONE:
        msg = f"{world.folder}: the history was not loaded."
        raise RuntimeError(msg)


def _train(here: Deployment, world: World, as_of: int) -> None:
    code = run_stages.train(
        _job(here, "train"), str(world.day(as_of)), training_days=None, warm_start=False
    )
    if code != DONE:
        msg = f"{world.folder}: the candidate of day {as_of} was rejected."
        raise RuntimeError(msg)


def _operate(here: Deployment, world: World) -> None:
    """Verdicts of drift, messages and labels of the days that are loaded."""
    spec = load_detector(here.detectors / f"{NAME}.yaml")
    days = [world.day(n) for n in range(_TRAINED[1], world.history)]
    for part in stretches(days, most=_CHUNK):
        drifting.judge_days(here, NAME, [str(day) for day in part], run="history")
    found = incidents_between(here, spec, world.first, days[-1])
    for incident in found:
        day = incident.start.date()
        notice = notice_of(spec, incident, day, this_shell(here), rows_effective=math.inf)
        notifying.record_sent(here, to_json(notice), channel="log", run="history")
    answered = [each for each in found if each.end.date() < days[-1] - _UNANSWERED]
    add_labels(
        here,
        NAME,
        [
            Label(
                each.start.to_pydatetime(),
                each.end.to_pydatetime(),
                each.entity,
                "incident",
                "a valve stuck",
                "operator",
                datetime.combine(each.end.date(), time(8), UTC) + _ANSWERED_AFTER,
            )
            for each in answered
            if each.kind == "anomaly"
        ],
    )


def _job(here: Deployment, step: str) -> Job:
    return Job(here, NAME, step, datetime.now(UTC), "bench", lambda _: None)


def _rows(day: date) -> pd.DataFrame:
    """The rows of one day: two latent loads move all channels, each machine on its own."""
    number = day.toordinal()
    random = np.random.default_rng([7, number])
    weights = np.random.default_rng(7).normal(size=(2, len(CHANNELS)))
    moments = pd.date_range(day, periods=144, freq="10min", tz="UTC")
    loads = random.normal(size=(144, len(MACHINES), 2))
    values = np.tanh(loads @ weights) + 0.1 * random.normal(
        size=(144, len(MACHINES), len(CHANNELS))
    )
    faulty = np.zeros((144, len(MACHINES)), dtype=bool)
    if number % 4 == 0:
        faulty[60:72, number // 4 % len(MACHINES)] = True
        values[:, :, :2][faulty] += 3
    return pd.DataFrame(
        {
            "time": moments.repeat(len(MACHINES)),
            "machine": np.tile(MACHINES, 144),
            **{name: values[:, :, n].ravel() for n, name in enumerate(CHANNELS)},
            "eval_fault": faulty.ravel(),
        }
    )


def _detector(first: date) -> dict[str, Any]:
    return {
        "name": NAME,
        "description": "A made-up plant.",
        "source": {"kind": "parquet", "path": "plant/{date}.parquet"},
        "schema": {
            "timestamp": "time",
            "entity": "machine",
            "entities": list(MACHINES),
            "cadence": "10min",
            "features": {name: {"unit": "1", "range": [-50, 50]} for name in CHANNELS},
            "evaluation_only": ["eval_fault"],
            "incident": "eval_fault",
            "exclude_from_training": ["eval_fault"],
        },
        "split": {"training_days": 14, "minimum_days": 12},
        "incidents": {"minimum_rows": 3},
        "model": {"members": 2, "width": 32, "steps": 250},
        "schedule": {"start": str(first)},
    }

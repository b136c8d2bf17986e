"""Backfills: the order of days must not matter, nor must the future, and two years must be quick.

Ninety days of La Haute Borne go through the steps of the DAGs (ingestion and scoring, with a
champion that was trained and promoted by the normal steps) into four empty lakes: day by day in a
shuffled order, day by day in order, in bulk, and in bulk with rows of the future in a delivery.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import structlog

from benchmarks.operation.rows import Row
from pipeline import settings, tables
from pipeline.data.fingerprint import fingerprint, row_hashes
from pipeline.data.grid import days_between
from pipeline.data.sources.la_haute_borne import fetch
from pipeline.steps import evaluating, fitting, gating, ingestion, promotion, scoring
from pipeline.steps.candidate import detector_named
from pipeline.tables import Table
from pipeline.tables.schemas import TableName
from pipeline.utc_day import end_of, midnight

DETECTOR = "la_haute_borne"
HISTORY = days_between(date(2014, 1, 1), date(2015, 12, 31))
AS_OF = date(2014, 4, 1)  # the champion learns from the ninety days before it
NINETY = days_between(date(2014, 4, 1), date(2014, 6, 29))
COMPARED: tuple[TableName, ...] = ("telemetry", "quarantine", "scores", "incidents")
BULK_LIMIT_S = 60.0
_RUN = "benchmark"
_SAMPLE = "la_haute_borne-1.parquet"


@dataclass(frozen=True)
class Filled:
    """A lake after a backfill: the hash of each table, and the seconds of both halves."""

    hashes: dict[str, str]
    ingested_s: float
    scored_s: float

    def same_as(self, other: Filled) -> bool:
        """Whether all tables hold the same rows."""
        return self.hashes == other.hashes


def measure() -> list[Row]:
    """All rows; about six minutes on two cores. Without the sample, one row that says so."""
    cache = settings.load().cache
    if not (cache / _SAMPLE).is_file():
        note = f"{cache / _SAMPLE} is not there; run `make demo` once, which fetches it"
        return [
            Row("backfill", "90 days in any order give equal tables", "not measured", None, note)
        ]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    shuffled = NINETY.copy()
    random.Random(7).shuffle(shuffled)  # noqa: S311 - an order, no secret
    with tempfile.TemporaryDirectory(prefix="plimsoll-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries'; the tests see to ours
        home = Path(folder)
        _train(home, cache)
        mixed = _filled(home, cache, "shuffled", [[day] for day in shuffled])
        ordered = _filled(home, cache, "ordered", [[day] for day in NINETY])
        bulk = _filled(home, cache, "bulk", [NINETY])
        _deliver_with_future(home, cache, NINETY[40])
        future = _filled(home, cache, "future", [NINETY], data="future-data")
        years = _filled(home, cache, "years", [HISTORY])
    return [
        _equal("day by day in shuffled order = in order", mixed, ordered),
        _equal("bulk = day by day", bulk, ordered),
        _equal("a delivery with rows stamped after its day changes nothing", future, bulk),
        _bulk_time(years),
        _daily_time(ordered),
    ]


def _train(home: Path, cache: Path) -> None:
    """A champion, by the steps of the train DAG."""
    with _deployment(home, cache, "training"):
        _ingest(days_between(HISTORY[0], AS_OF - timedelta(days=1)))
        candidate = fitting.window(settings.load(), DETECTOR, AS_OF.isoformat())
        candidate = fitting.calibrate(
            settings.load(), fitting.train(settings.load(), candidate, run=_RUN)
        )
        judged = gating.gate(
            settings.load(),
            evaluating.drift(settings.load(), evaluating.evaluate(settings.load(), candidate)),
            run=_RUN,
        )
        promotion.promote(settings.load(), judged, answer=None, run=_RUN)


def _filled(
    home: Path, cache: Path, lake: str, batches: Sequence[Sequence[date]], *, data: str = "data"
) -> Filled:
    """An empty lake after a backfill in `batches`, each ingested and then scored."""
    ingested_s = scored_s = 0.0
    with _deployment(home, cache, lake, data=data):
        for batch in batches:
            began = time.perf_counter()
            _ingest(batch)
            between = time.perf_counter()
            scoring.score_days(
                settings.load(), DETECTOR, [day.isoformat() for day in batch], run=_RUN
            )
            ingested_s += between - began
            scored_s += time.perf_counter() - between
        root = settings.load().storage
        hashes: dict[str, str] = {
            name: _content_hash(Table(root, DETECTOR, name)) for name in COMPARED
        }
    return Filled(hashes, ingested_s, scored_s)


def _ingest(days: Sequence[date]) -> None:
    staged = ingestion.fetch(settings.load(), DETECTOR, [day.isoformat() for day in days], run=_RUN)
    ingestion.write(
        settings.load(),
        ingestion.validate(settings.load(), staged, run=_RUN),
        run=_RUN,
        refuse=False,
    )


def _content_hash(table: Table) -> str:
    rows = tables.read(table, keep_date=True)
    return fingerprint(row_hashes(rows.astype({"date": str})), map(str, rows.columns))


def _deliver_with_future(home: Path, cache: Path, day: date) -> None:
    """The source's own rows of `day` in a file of that day, with absurd rows of the day after."""
    spec = detector_named(settings.load(), DETECTOR)
    source = spec.source.model_copy(update={"replaced_days": None})
    rows = fetch(source, spec.columns, midnight(day), end_of(day), cache)  # type: ignore[arg-type]  # `fetch` is the one for the kind of `source`
    absurd = rows.tail(40).assign(power=2000.0, wind_speed=0.1)
    absurd[spec.columns.timestamp] += pd.Timedelta(days=1)
    path = home / "future-data" / "drill" / f"{day}.parquet"
    path.parent.mkdir(parents=True)
    pd.concat([rows, absurd]).to_parquet(path, index=False)


@contextlib.contextmanager
def _deployment(home: Path, cache: Path, lake: str, *, data: str = "data") -> Iterator[None]:
    """The steps work in `home`: one registry for all lakes."""
    wanted = {
        "PLIMSOLL_STORAGE": str(home / lake),
        "PLIMSOLL_DATA": str(home / data),
        "PLIMSOLL_CACHE": str(cache.absolute()),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    before = dict(os.environ)  # noqa: TID251 - what the steps' settings are read from
    os.environ.update(wanted)  # noqa: TID251 - likewise
    try:
        with contextlib.chdir(home):  # where MLflow keeps the artifacts of a SQLite registry
            yield
    finally:
        os.environ.clear()  # noqa: TID251 - put back
        os.environ.update(before)  # noqa: TID251 - put back


def _equal(asked: str, one: Filled, other: Filled) -> Row:
    differing = [name for name in COMPARED if one.hashes[name] != other.hashes[name]]
    got = f"{', '.join(differing)} differ" if differing else "equal by content hash"
    note = f"{len(NINETY)} days from {NINETY[0]}: {', '.join(COMPARED)}"
    return Row("backfill", asked, got, one.same_as(other), note)


def _bulk_time(years: Filled) -> Row:
    total = years.ingested_s + years.scored_s
    return Row(
        "backfill",
        f"two years in bulk, at most {BULK_LIMIT_S:.0f} s",
        f"{total:.1f} s",
        total <= BULK_LIMIT_S,
        f"{len(HISTORY)} days, 420,000 rows: ingested in {years.ingested_s:.1f} s, scored in "
        f"{years.scored_s:.1f} s; load average {os.getloadavg()[0]:.1f}",
    )


def _daily_time(ordered: Filled) -> Row:
    ingested, scored = ordered.ingested_s / len(NINETY), ordered.scored_s / len(NINETY)
    return Row(
        "backfill",
        "own work a day, day by day",
        f"{ingested + scored:.2f} s",
        None,
        f"ingestion {ingested:.2f} s, scoring {scored:.2f} s, without Airflow; the floor of an "
        "empty run is a matter of `make bench-chain`",
    )

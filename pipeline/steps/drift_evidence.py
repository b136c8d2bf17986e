"""The evidence for a drift verdict: rows, their scores by the live version, and labels.

- Scores come from the table `scores` where the live version has scored the day, so that the
  verdict is about what was served; other days are scored here.
- A channel that was muted in a row, or has failed there, is not used in it, nor is that row's
  score: it was computed without the channel. That the sensor is broken is still reported.
- Rows that were labelled an incident by the end of the judged day are left out. Evaluation columns
  are not read at all: a live verdict must not know them.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Columns, DetectorSpec
from pipeline.data.channels import channels, channels_of_cell
from pipeline.data.grid import days_between
from pipeline.data.timeline import Mask, timeline_from
from pipeline.detector.inputs.frames import failed_cells, feature_values, unchecked_values
from pipeline.drift import Sample
from pipeline.drift.observed import ObservedRows
from pipeline.scoring import score_rows, spread_out
from pipeline.settings import Deployment
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import unfit_for
from pipeline.store.labels import labels_as_of
from pipeline.store.scores import champion_scores
from pipeline.store.telemetry import read_telemetry
from pipeline.utc_day import DAY_NS, ONE_DAY, end_of, midnight


def observed_rows(
    here: Deployment, spec: DetectorSpec, loaded: LoadedVersion, first: date, last: date
) -> ObservedRows | None:
    """The rows of `first` to `last` with their scores; None without rows.

    Rows that do not mean what `loaded` needs are left out: they cannot be compared.
    """
    columns = spec.columns
    frame = read_telemetry(
        here,
        spec.name,
        first - ONE_DAY,  # so that the first window of the first day is whole
        last,
        columns=[*columns.row_key, *loaded.bundle.schema.features],
    ).dropna(subset=columns.row_key)
    unfit = unfit_for(here, loaded, spec, days_between(first - ONE_DAY, last))
    if unfit:
        frame = frame[~frame[columns.timestamp].dt.date.isin(set(unfit))]
    frame = frame.sort_values(columns.row_key, kind="stable", ignore_index=True)
    own = frame[columns.timestamp] >= pd.Timestamp(midnight(first))
    if not own.any():
        return None
    score, muted = _served(here, spec, loaded, frame, own.to_numpy(), first, last)
    frame = frame[own].reset_index(drop=True)
    timeline = timeline_from(frame, columns)
    labels = labels_as_of(here, spec.name, end_of(last), first=first, last=last)
    features = feature_values(frame, loaded.bundle.schema, partial=True)
    failed = failed_cells(features, loaded.bundle.schema)
    if failed.any():
        muted = failed if muted is None else muted | failed
    sample = Sample(timeline, features, score, muted)
    return ObservedRows(sample, timeline.time_ns // DAY_NS, labels)


def _served(
    here: Deployment,
    spec: DetectorSpec,
    loaded: LoadedVersion,
    frame: pd.DataFrame,
    own: Mask,
    first: date,
    last: date,
) -> tuple[NDArray[np.float32], Mask | None]:
    """Scores of the `own` rows and the features they lack: as served, or computed here."""
    kept = ["timestamp", "entity", "version", "score", "muted"]
    served = champion_scores(here, spec.name, kept, first=first, last=last)
    served = served[served["version"].eq(loaded.version.number)]
    day = _day_of(frame[spec.columns.timestamp])[own]
    absent = ~np.isin(day, np.unique(_day_of(served["timestamp"])))
    score = np.full(int(own.sum()), np.nan, dtype=np.float32)
    for each in np.unique(day[absent]):
        score[day == each] = _scored_alone(loaded, frame, each, spec.columns)
    if absent.all():
        return score, None
    found = _joined(frame[own], served, spec.columns)
    score[~absent] = found["score"].to_numpy(np.float32)[~absent]
    return score, _muted(found["muted"], spec.columns)


def _scored_alone(
    loaded: LoadedVersion, frame: pd.DataFrame, day: int, columns: Columns
) -> NDArray[np.float64]:
    """Scores of one day's rows. Not with other days: the last bits depend on the batch."""
    days = _day_of(frame[columns.timestamp])
    longer = loaded.bundle.reach > 1
    batch = (days == day) | ((days == day - 1) & longer)
    rows, schema = frame[batch], loaded.bundle.schema
    # What a partial row scores is not used; the others are scored without it.
    whole = np.asarray(~failed_cells(unchecked_values(rows, schema), schema).any(axis=1))
    scored = spread_out(score_rows(loaded.bundle, rows[whole]), whole)
    score: NDArray[np.float64] = scored.score[days[batch] == day]
    return score


def _joined(frame: pd.DataFrame, served: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    keys = pd.DataFrame(
        {
            "timestamp": frame[columns.timestamp].to_numpy(),
            "entity": frame[columns.entity].astype(str).to_numpy() if columns.entity else "",
        }
    )
    served = served.assign(
        timestamp=served["timestamp"].to_numpy(), entity=served["entity"].fillna("").astype(str)
    ).drop_duplicates(["timestamp", "entity"])
    return keys.merge(served, on=["timestamp", "entity"], how="left")


def _muted(named: pd.Series, columns: Columns) -> Mask | None:
    """The features of the channels that are named in each row, comma-separated."""
    codes, texts = pd.factorize(named.fillna(""))
    if not any(texts):
        return None
    held = {channel.name: list(channel.columns) for channel in channels(columns)}
    known = np.zeros((len(texts), len(columns.feature_columns)), dtype=bool)
    for row, text in enumerate(texts):
        for name in channels_of_cell(text):
            known[row, held.get(name, [])] = True
    muted: Mask = known[codes]
    return muted


def _day_of(times: pd.Series) -> NDArray[np.int64]:
    return pd.DatetimeIndex(times).as_unit("ns").asi8 // DAY_NS

"""The table `scores`: the score of each row by the champion, and by a challenger in shadow.

`pipeline.store.score_writing` writes it, together with `incidents`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pandas as pd
import pyarrow as pa

from pipeline import tables
from pipeline.cases import DayFacts
from pipeline.data.channels import channels_of_cell
from pipeline.incidents.parts import IncidentPart
from pipeline.settings import Deployment
from pipeline.tables import Table

Role = Literal["champion", "challenger"]

CHAMPION: Role = "champion"
"""Role of the version that was live when it scored the row."""

CHALLENGER: Role = "challenger"
"""Role of the version that scored the row in its shadow."""


@dataclass(frozen=True)
class DayScores:
    """The content of the tables for one day.

    Attributes:
        day: the UTC day.
        scores: rows of `scores`, champion before challenger, by time and entity; empty for a day
            without telemetry.
        rows: how many of them are the champion's.
        parts: the day's parts of incidents, by the champion.
        flags: rows that the champion flags.
        median_score: of the champion; None without scores.
        remark: why the challenger did not score; empty when it did, or without a challenger.
        facts: what the day's rows show of cases, by the champion.
    """

    day: date
    scores: pa.Table
    rows: int
    parts: tuple[IncidentPart, ...]
    flags: int
    median_score: float | None
    remark: str
    facts: DayFacts


def scored_days(here: Deployment, detector: str) -> list[date]:
    """The days with scores, oldest first."""
    return tables.days_in(_table(here, detector))


def champion_scores(
    here: Deployment,
    detector: str,
    columns: Sequence[str],
    *,
    first: date | None = None,
    last: date | None = None,
) -> pd.DataFrame:
    """`columns` of the rows of `first` to `last` (both included) that a champion scored."""
    table = _table(here, detector)
    return tables.read_where(
        table, "role", CHAMPION, columns=columns, first_day=first, last_day=last
    )


def muted_on(here: Deployment, detector: str, day: date) -> tuple[tuple[str, str], ...]:
    """The channels that the champion left out on `day`, each with its machine or an empty name."""
    rows = champion_scores(here, detector, ["entity", "muted"], first=day, last=day)
    pairs = rows[rows["muted"].fillna("").ne("")].drop_duplicates().itertuples(index=False)
    return tuple(
        sorted({(name, entity) for entity, muted in pairs for name in channels_of_cell(muted)})
    )


def _table(here: Deployment, detector: str) -> Table:
    return Table(here.storage, detector, "scores")

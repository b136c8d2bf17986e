"""The history of one detector by scored day, from Postgres.

Prometheus has the values by the time of a scrape. A backfill, a rescoring after a rollback, or a
year loaded in one run changes past days, which only the readings have
(`pipeline.metrics.postgres`).
"""

from __future__ import annotations

from deploy.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    Panel,
    PanelSection,
    Query,
)


def _by_day(topic: str, value: str, legend: str, colour: str, *, dashed: bool = False) -> Query:
    """A value of each day's reading, which the reader's role may query."""
    sql = (
        f'SELECT day::timestamp AS time, {value} AS "{legend}" FROM readings '  # noqa: S608 - constants
        f"WHERE detector = ${{detector:sqlstring}} AND topic = '{topic}' "
        "AND content <> 'null' AND $__timeFilter(day) ORDER BY 1"
    )
    return Query(sql, legend, colour, dashed=dashed)


def _field(*path: str) -> str:
    return f"(content #>> '{{{','.join(path)}}}')::float8"


HISTORY = PanelSection(
    "By day (from Postgres)",
    (
        Panel(
            title="Rows above the threshold by day",
            description="Share of flagged rows of each scored day, by its latest scores.",
            unit="percentunit",
            source="plimsoll",
            queries=(
                _by_day(
                    "scored", f"{_field('flags')} / nullif({_field('rows')}, 0)", "flagged", BLUE
                ),
                _by_day("scored", _field("alpha"), "budget", VERMILION, dashed=True),
            ),
        ),
        Panel(
            title="Scores and threshold by day",
            description="Quantiles of each scored day, and its threshold.",
            unit="short",
            source="plimsoll",
            queries=(
                _by_day("scored", _field("quantiles", "0.5"), "median", GREY),
                _by_day("scored", _field("quantiles", "0.95"), "95 %", SKY),
                _by_day("scored", _field("quantiles", "0.99"), "99 %", ORANGE),
                _by_day("scored", _field("threshold"), "threshold", VERMILION),
            ),
        ),
        Panel(
            title="Rows by day",
            description="Let through, and rejected by all rules together, as each day was "
            "ingested last.",
            unit="short",
            source="plimsoll",
            queries=(
                _by_day("ingested", _field("accepted"), "accepted", GREEN),
                _by_day(
                    "ingested",
                    "(SELECT coalesce(sum(value::float8), 0) "
                    "FROM jsonb_each_text(content -> 'rejected'))",
                    "in quarantine",
                    VERMILION,
                ),
            ),
        ),
        Panel(
            title="Drift of the score by day",
            description="Distance D of the scores from the reference; an alarm needs 0.2.",
            unit="none",
            source="plimsoll",
            queries=(
                _by_day(
                    "drifted",
                    "(SELECT (each ->> 'distance')::float8 "
                    "FROM jsonb_array_elements(content -> 'moved') AS each "
                    "WHERE each ->> 'feature' = 'score')",
                    "score",
                    BLUE,
                ),
            ),
        ),
    ),
)

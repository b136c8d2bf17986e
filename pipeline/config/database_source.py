"""Checks for a source of kind `sql`: its variable is one made for sources, its query a SELECT.

A detector file is written by more people than may know the logins of the deployment. If it could
name any variable, its query would run as Airflow, as MLflow or as Plimsoll itself; if it could
hold any statement, it would be a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.config.detector import DetectorSpec
from pipeline.config.names import Problem
from pipeline.config.shown import cut
from pipeline.config.source import SqlSource

PREFIX = "PLIMSOLL_SOURCE_"

_OF_THE_DEPLOYMENT = ("PLIMSOLL_", "AIRFLOW", "_AIRFLOW", "MLFLOW_", "AWS_", "OPENLINEAGE_", "PG")
_READS = frozenset({"select", "with", "values", "table"})
# PostgreSQL nests comments and others do not: a query with a comment in a comment is not parsed.
_BEFORE = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*(?:(?!/\*|\*/).)*\*/|\()*", re.DOTALL)


def problems_of(spec: DetectorSpec) -> Iterator[Problem]:
    """The problems of the variable and the query, by their place in the file."""
    if not isinstance(spec.source, SqlSource):
        return
    if why := why_not_the_variable(spec.source.url_env):
        yield ("source", "url_env"), why
    if why := why_not_the_query(spec.source.query):
        yield ("source", "query"), why


def why_not_the_variable(name: str) -> str | None:
    """Why no source may read the variable `name`, and the fix; None: it may."""
    if re.fullmatch(rf"{PREFIX}[A-Z0-9_]+", name):
        return None
    better = PREFIX + ("PLANT" if name.startswith(_OF_THE_DEPLOYMENT) else name)
    return (
        f"got {cut(name)}; a source reads only variables named {PREFIX}..., so that no "
        "detector file gets at the logins of Airflow, MLflow, S3 or Plimsoll. Put the URL into "
        f"{cut(better)} where the workers run, and write that name here"
    )


def why_not_the_query(query: str) -> str | None:
    """Why `query` is refused, and the fix; None: it begins with a SELECT."""
    begins = re.match(r"\w*", query[_BEFORE.match(query).end() :])  # type: ignore[union-attr] # it always matches
    word = begins.group() if begins else ""
    if word.lower() in _READS:
        return None
    return (
        f"begins with {cut(word or query.strip())}; a source only reads: write one SELECT, bounded "
        "by `WHERE time >= :start AND time < :end`"
    )

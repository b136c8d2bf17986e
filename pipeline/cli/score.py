"""`score`: score the rows of a Parquet file with a bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import log_context
from pipeline.cli import log_lines
from pipeline.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.cli.given import Given
    from pipeline.data.timeline import Timeline
    from pipeline.detector.bundle.bundle import Bundle
    from pipeline.scoring import ScoredRows

HELP = "Score the rows of a Parquet file with a bundle."

BROKEN = 3
"""Exit code: the scores are written, and more rows are flagged than the threshold promises."""

_TIME = "timestamp"
_MOST_UNUSABLE = 0.2  # of a file's rows may go without a score: as many as ingestion may reject
_FEWEST_FLAGS = 10  # fewer are not judged
_WHOLE = (
    "{rows:,} rows are held in memory at once: the detector looks back in time, and they are not "
    "in order of it. Sort the file by time to score it in blocks."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `score`."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FILE.parquet", help="or a folder of them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="SCORES.parquet")


def run(arguments: argparse.Namespace) -> int:
    """Write score, threshold, is_anomaly, and timestamp and entity where the data have them.

    One row for each row of the data, in the same order. A row that ends no full window has a null
    score and a null flag, and so has one with values that are not finite; the latter may be a fifth
    of the file. Only a block of rows is in memory at a time, except where scores look back and the
    rows are not in order of time. BROKEN if more rows are flagged than the threshold promises.
    """
    from pipeline.cli import stored
    from pipeline.cli.given import given_rows
    from pipeline.cli.scoring_blocks import blocks, reach_of
    from pipeline.cli.stored import BATCH, find
    from pipeline.detector.bundle.bundle import load_bundle

    if arguments.out.absolute() == arguments.data.absolute():
        msg = f"--out {arguments.out} is the data file itself; give another path"
        raise DataError(msg)
    bundle = load_bundle(arguments.bundle)
    log_context.bind(detector=bundle.description.name, run=log_context.bound("run"))
    log_context.bind_version(bundle.digest[:12])
    source = find(arguments.data)
    columns, deriving = _columns(source.schema.names, bundle)
    tally = _Tally()

    def answers() -> Iterator[pa.Table]:
        for block in blocks(source, columns, reach_of(bundle, deriving=deriving)):
            if block.table.num_rows > 2 * BATCH:
                print(_WHOLE.format(rows=block.table.num_rows), file=sys.stderr)
            given = given_rows(block.table, bundle.schema)
            tally.add_unusable(given, block.seen)
            scored = _scored(given, bundle)
            tally.add(scored, block.seen)
            yield _answers(block.table, bundle, scored).slice(block.seen)
        _refuse_unusable(tally, source.rows, bundle)

    stored.write_parquet(answers(), arguments.out)
    no_window = source.rows - tally.judged - tally.unusable
    print(
        f"{tally.flagged:,} of {tally.judged:,} rows above the threshold {bundle.threshold:.6g}"
        + (f"; {no_window:,} rows end no full window" * (no_window > 0))
        + f": {arguments.out}"
    )
    if warning := _unusable(tally, source.rows):
        print(f"warning: {warning}", file=sys.stderr)
    if not (broken := _broken(tally, bundle)):
        return 0
    log_lines.report_broken_threshold(arguments.log, broken)
    return BROKEN


@dataclass
class _Tally:
    """The counts for the summary.

    Attributes:
        judged: rows with a score.
        flagged: rows above the threshold.
        unusable: rows without a score because of their own values.
        by_column: the number of unusable values by column.
        absent: whether a value was absent.
    """

    judged: int = 0
    flagged: int = 0
    unusable: int = 0
    by_column: dict[str, int] = field(default_factory=dict)
    absent: bool = False

    def add(self, scored: ScoredRows, seen: int) -> None:
        self.judged += int(scored.complete[seen:].sum())
        self.flagged += int(scored.flagged[seen:].sum())

    def add_unusable(self, given: Given, seen: int) -> None:
        self.unusable += int(given.broken[seen:].sum())
        self.absent |= bool(given.absent[seen:].any())
        for name, mask in given.bad.items():
            self.by_column[name] = self.by_column.get(name, 0) + int(mask[seen:].sum())


def _refuse_unusable(tally: _Tally, rows: int, bundle: Bundle) -> None:
    """Raise if too many rows of the file have no score."""
    from pipeline.detector.inputs.inputs import not_finite_message

    if tally.unusable <= _MOST_UNUSABLE * rows:
        return
    missing = bundle.schema.takes_missing
    found = not_finite_message(
        tally.by_column, tally.unusable, rows, missing=missing, absent=tally.absent
    )
    msg = f"{found} At most {_MOST_UNUSABLE:.0%} of a file's rows may go without a score."
    raise DataError(msg)


def _unusable(tally: _Tally, rows: int) -> str:
    from pipeline.detector.inputs.inputs import named

    if not tally.unusable:
        return ""
    counted = [f"{name} ({count:,})" for name, count in tally.by_column.items() if count]
    return (
        f"{tally.unusable:,} of {rows:,} rows have no score: their values are missing, infinite or "
        f"beyond 3.4e38, in {named(counted)}"
    )


def _broken(tally: _Tally, bundle: Bundle) -> str:
    """That more rows are flagged than promised, and what to do; empty where they are not."""
    from pipeline.detector.thresholds.estimate import FAR_MORE

    threshold = bundle.description.threshold
    few = tally.flagged < _FEWEST_FLAGS
    if few or tally.flagged <= FAR_MORE * threshold.alpha * tally.judged:
        return ""
    # It brings scipy, which takes a second.
    from pipeline.evaluation.flag_share import most_promised, worth

    most = most_promised(tally.flagged, tally.judged, threshold)
    if most is None:
        return ""
    low, high = threshold.rate_interval
    return (
        f"THE THRESHOLD DOES NOT HOLD ON THIS FILE: {tally.flagged / tally.judged:.1%} of "
        f"{tally.judged:,} rows are flagged. The bundle promises {threshold.alpha:.2%} of normal "
        f"rows (95 % interval {low:.2%} to {high:.2%}); of these rows, worth "
        f"{worth(threshold) * tally.judged:,.0f} independent ones, at most {most:.1%} would agree "
        "with that. The flags of this file cannot be trusted. Look at what the flagged rows show: "
        "if most of them are faults that you know, they are right. Else the data have changed "
        "since: fit again on newer rows that you know to be normal, and of every season."
    )


def _columns(present: list[str], bundle: Bundle) -> tuple[list[str], bool]:
    """The columns to read of those that are there, and whether features must be derived."""
    schema = bundle.schema
    raw = {each.column for each in schema.offsets}
    deriving = schema.source_columns is not None and not set(schema.features) <= set(present)
    wanted = {_TIME, schema.timestamp, schema.entity, *schema.features, *raw}
    if deriving:
        wanted |= {*schema.source_columns["features"]} if schema.source_columns else set()
    # One column at least, so that the reader of an absent column raises its own error.
    return [name for name in present if name in wanted] or present[:1], deriving


def _scored(given: Given, bundle: Bundle) -> ScoredRows:
    """The rows, scored as if the broken ones were absent: they end the windows around them."""
    from pipeline.scoring import score_values, spread_out

    timeline = _timeline(given.table, bundle)
    if not given.broken.any():
        return score_values(bundle, given.rows, timeline)
    fit = ~given.broken
    if timeline is not None:
        from pipeline.data.timeline import subset

        timeline = subset(timeline, fit)
    return spread_out(score_values(bundle, given.rows[fit], timeline), fit)


def _timeline(table: pa.Table, bundle: Bundle) -> Timeline | None:
    if not bundle.needs_timeline:
        return None
    from pipeline.detector.inputs.frames import timeline_of

    kept = [n for n in (bundle.schema.timestamp, bundle.schema.entity) if n in table.column_names]
    return timeline_of(table.select(kept).to_pandas(), bundle.schema)


def _answers(table: pa.Table, bundle: Bundle, scored: ScoredRows) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    from pipeline.detector.inputs.arrow import from_numpy

    absent = ~scored.complete
    answers = {
        "score": from_numpy(scored.score, absent=absent),
        "threshold": from_numpy(np.full(table.num_rows, bundle.threshold)),
        "is_anomaly": from_numpy(scored.flagged, absent=absent),
    }
    names = (_TIME, bundle.schema.timestamp, bundle.schema.entity)
    written = {None, *bundle.schema.features, *answers}
    kept = {
        str(name): table[name]
        for name in names
        if name not in written and name in table.column_names
    }
    return pa.table({**kept, **answers})

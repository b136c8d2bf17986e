"""`score`: the rows of a Parquet file by a bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import log_context
from pipeline.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.data.timeline import Timeline
    from pipeline.detector.bundle import Bundle
    from pipeline.scoring import ScoredRows

HELP = "Score the rows of a Parquet file with a bundle."

_TIME = "timestamp"
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
    """Write timestamp and entity where there are any, score, threshold, is_anomaly.

    One row for each row of the data, in the same order. A row that no full window ends at has a
    null score and a null flag. However many rows there are, a block of them is in memory; only
    where scores look back and the rows are not in order of time all of them are.
    """
    from pipeline.cli import parquet
    from pipeline.cli.scoring_blocks import blocks, reach_of
    from pipeline.cli.stored import BATCH, find
    from pipeline.detector.bundle import load_bundle

    if arguments.out.absolute() == arguments.data.absolute():
        msg = f"--out {arguments.out} is the data file itself; give another path"
        raise DataError(msg)
    bundle = load_bundle(arguments.bundle)
    log_context.bind(detector=bundle.description.name, run=log_context.bound("run"))
    log_context.bind_version(bundle.digest[:12])
    source = find(arguments.data)
    columns, deriving = _columns(source.schema.names, bundle)
    told = _Tally()

    def answers() -> Iterator[pa.Table]:
        for block in blocks(source, columns, reach_of(bundle, deriving=deriving)):
            if block.table.num_rows > 2 * BATCH:
                print(_WHOLE.format(rows=block.table.num_rows), file=sys.stderr)
            scored = _scored(block.table, bundle)
            told.add(scored, block.seen)
            yield _answers(block.table, bundle, scored).slice(block.seen)

    parquet.write(answers(), arguments.out)
    print(
        f"{told.flagged:,} of {told.judged:,} rows above the threshold {bundle.threshold:.6g}"
        + (f"; {source.rows - told.judged:,} rows end no full window" * (told.judged < source.rows))
        + f": {arguments.out}"
    )
    return 0


class _Tally:
    """What is said at the end."""

    def __init__(self) -> None:
        self.judged = self.flagged = 0

    def add(self, scored: ScoredRows, seen: int) -> None:
        self.judged += int(scored.complete[seen:].sum())
        self.flagged += int(scored.flagged[seen:].sum())


def _columns(present: list[str], bundle: Bundle) -> tuple[list[str], bool]:
    """The columns to read of those that are there, and whether features must be derived."""
    schema = bundle.schema
    deriving = schema.source_columns is not None and not set(schema.features) <= set(present)
    wanted = {_TIME, schema.timestamp, schema.entity, *schema.features}
    if deriving:
        wanted |= {*schema.source_columns["features"]} if schema.source_columns else set()
    # One column at least, so that what is absent is missed by whoever needs it.
    return [name for name in present if name in wanted] or present[:1], deriving


def _scored(table: pa.Table, bundle: Bundle) -> ScoredRows:
    from pipeline.detector.arrow import to_numpy
    from pipeline.scoring import score_columns

    features = _with_features(table, bundle)
    columns = {
        name: to_numpy(features[name])
        for name in bundle.schema.features
        if name in features.column_names
    }
    return score_columns(bundle, columns, _line(table, bundle))


def _with_features(table: pa.Table, bundle: Bundle) -> pa.Table:
    """`table` with its circular and derived features computed, if they are absent."""
    schema = bundle.schema
    if schema.source_columns is None or set(schema.features) <= set(table.column_names):
        return table
    import pyarrow as pa

    from pipeline.config import Columns
    from pipeline.data.derive import derive

    columns = Columns.model_validate(schema.source_columns)
    return pa.Table.from_pandas(derive(table.to_pandas(), columns), preserve_index=False)


def _line(table: pa.Table, bundle: Bundle) -> Timeline | None:
    if not bundle.needs_line:
        return None
    from pipeline.detector.frames import timeline_of

    kept = [n for n in (bundle.schema.timestamp, bundle.schema.entity) if n in table.column_names]
    return timeline_of(table.select(kept).to_pandas(), bundle.schema)


def _answers(table: pa.Table, bundle: Bundle, scored: ScoredRows) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    from pipeline.detector.arrow import from_numpy

    absent = ~scored.complete
    answers = {
        "score": from_numpy(scored.score, absent=absent),
        "threshold": from_numpy(np.full(table.num_rows, bundle.threshold)),
        "is_anomaly": from_numpy(scored.flagged, absent=absent),
    }
    names = (_TIME, bundle.schema.timestamp, bundle.schema.entity)
    taken = {None, *bundle.schema.features, *answers}
    kept = {
        str(name): table[name] for name in names if name not in taken and name in table.column_names
    }
    return pa.table({**kept, **answers})

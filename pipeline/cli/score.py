"""`score`: the rows of a Parquet file by a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.data.timeline import Timeline
    from pipeline.detector.bundle import Bundle
    from pipeline.scoring import ScoredRows

HELP = "Score the rows of a Parquet file with a bundle."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `score`."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="SCORES.parquet")


def run(arguments: argparse.Namespace) -> int:
    """Write timestamp and entity where there are any, score, threshold, is_anomaly.

    One row for each row of the data, in the same order. A row that no full window ends at has a
    null score and a null flag.
    """
    from pipeline.cli import parquet
    from pipeline.detector.arrow import to_numpy
    from pipeline.detector.bundle import load_bundle
    from pipeline.scoring import score_columns

    if arguments.out.absolute() == arguments.data.absolute():
        msg = f"--out {arguments.out} is the data file itself; give another path"
        raise DataError(msg)
    bundle = load_bundle(arguments.bundle)
    table = parquet.read(arguments.data)
    features = _with_features(table, bundle)
    columns = {
        name: to_numpy(features[name])
        for name in bundle.schema.features
        if name in features.column_names
    }
    scored = score_columns(bundle, columns, _line(table, bundle))
    parquet.write(_answers(table, bundle, scored), arguments.out)
    judged = int(scored.complete.sum())
    flagged = int(scored.flagged.sum())
    print(
        f"{flagged:,} of {judged:,} rows above the threshold {bundle.threshold:.6g}"
        + (f"; {table.num_rows - judged:,} rows end no full window" * (judged < table.num_rows))
        + f": {arguments.out}"
    )
    return 0


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
    if bundle.schema.window == 1:
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
    names = ("timestamp", bundle.schema.timestamp, bundle.schema.entity)
    taken = {None, *bundle.schema.features, *answers}
    kept = {
        str(name): table[name] for name in names if name not in taken and name in table.column_names
    }
    return pa.table({**kept, **answers})

"""Arrow rows as frames. Pure."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa


def as_frame(rows: pa.Table) -> pd.DataFrame:
    """Delta keeps microseconds; frames hold nanoseconds, so that times compare and join."""
    frame: pd.DataFrame = rows.to_pandas()
    for name in frame.select_dtypes("datetimetz").columns:
        frame[name] = frame[name].dt.as_unit("ns")
    return frame


def frame_of(rows: pa.Table) -> pd.DataFrame:
    """Rows as a frame; text as categories, in order of their names."""
    frame = as_frame(_with_words_once(rows))
    for name in frame.select_dtypes("category").columns:
        frame[name] = frame[name].cat.set_categories(sorted(frame[name].cat.categories))
    return frame


def _with_words_once(rows: pa.Table) -> pa.Table:
    """Rows with one dictionary for each text column; a scan leaves one for each file."""
    for place, field in enumerate(rows.schema):
        words = rows[field.name]
        if pa.types.is_dictionary(field.type) and not _is_one(words):
            words = words.cast(pa.string())
        if pa.types.is_string(words.type):
            rows = rows.set_column(place, field.name, words.dictionary_encode())
    return rows


def _is_one(words: pa.ChunkedArray) -> bool:
    held = [chunk.dictionary for chunk in words.chunks]
    return all(each.null_count == 0 and each.equals(held[0]) for each in held)

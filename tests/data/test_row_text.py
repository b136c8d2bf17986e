"""Quarantined rows as text: nothing of them is lost, whatever they hold."""

import json
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.row_text import as_json

KEYS = {"time", "machine"}


def rows_of(frame):
    return [json.loads(text) for text in as_json(frame, KEYS)]


def test_every_kind_of_value_comes_back():
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime(
                ["2026-01-05T00:00:00Z", None, "2026-01-05T01:00:00.5Z"], format="ISO8601"
            ),
            "machine": ["a/b", "\n\x01\u00e9\U0001f600", None],
            "f": [1.0, np.nan, -np.inf],
            "i": [1, 2, 3],
            "b": [True, False, True],
            "t": ["5", "off/1", None],
            "o": [[1, 2], Decimal("1.5"), date(2026, 1, 1)],
            'odd "%s" name': [0.1, 1e-300, 123456789.25],
        }
    )

    first, second, third = rows_of(frame)

    assert first == {
        "time": "2026-01-05T00:00:00.000Z",
        "machine": "a/b",
        "f": 1.0,
        "i": 1.0,
        "b": 1.0,
        "t": 5.0,
        "o": [1, 2],
        'odd "%s" name': 0.1,
    }
    assert (second["time"], second["machine"]) == (None, "\n\x01\u00e9\U0001f600")
    assert (second["f"], second["t"], second["o"]) == (None, "off/1", 1.5)
    assert (third["time"], third["machine"], third["f"]) == (
        "2026-01-05T01:00:00.500Z",
        None,
        "-inf",
    )
    assert third["o"].startswith("2026-01-01")


def test_no_rows_are_no_lines():
    assert as_json(pd.DataFrame({"time": [], "f": []}), KEYS) == []


@given(st.lists(st.one_of(st.none(), st.text(max_size=5), st.floats(-1e6, 1e6)), min_size=1))
def test_a_row_is_written_alike_whatever_rows_are_beside_it(values):
    frame = pd.DataFrame({"machine": "m", "v": pd.Series(values, dtype=object)})

    together = as_json(frame, KEYS)

    alone = [as_json(frame.iloc[[at]], KEYS)[0] for at in range(len(frame))]
    assert together == alone

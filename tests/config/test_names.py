"""Names that cannot be kept: reserved, clashing, repeated, invisible; each with line and fix."""

from __future__ import annotations

import re

import pytest

from pipeline.config import Columns, load_detector
from pipeline.data.sources.shaping import NOTES
from tests.builders import make_spec
from tests.config.files import put_changed, refusal, schema

UNIT = {"unit": "1"}


def peers(*of: str) -> dict[str, object]:
    return {"kind": "peer_deviation", "of": list(of)}


def features(*names: str, **more: object) -> dict[str, object]:
    return schema(features=dict.fromkeys(names, UNIT) | more)


ANGLE = {"unit": "deg", "circular": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # The partition column of the tables.
        (schema(timestamp="date"), r"6: schema\.timestamp: got 'date'; .*rename: \{date: time\}"),
        (schema(entity="Date"), r"7: schema\.entity: got 'Date'; 'date' is the partition column"),
        (features("a", "DATE"), r"12: schema\.features\.DATE: got 'DATE'.*in any case"),
        # Delta Lake does not distinguish T from t.
        (features("T", "t"), r"schema\.features\.t: 't' and 'T' differ by case only"),
        (features("Time", "a"), r"schema\.features\.Time: 'Time' and 'time' differ by case"),
        (features("a", "MACHINE"), r"'MACHINE' and 'machine' differ by case only"),
        (schema(timestamp="Machine"), r"schema\.entity: 'machine' and 'Machine' differ by case"),
        (features("Ä", "ä"), r"'ä' and 'Ä' differ by case only"),
        (features("é", "e\u0301"), r"differ by case only"),
        (schema(evaluation_only=["eval_x", "eval_X"]), r"'eval_X' and 'eval_x' differ by case"),
        # What the product makes itself.
        (features("a", "time_fault"), r"got 'time_fault', the name of a column in which"),
        *[(features("a", name), rf"got '{name}', the name of a column in which") for name in NOTES],
        (schema(entity="eval_label"), r"got 'eval_label', the name of a column in which"),
        (schema(entity="score"), r"got 'score', a column in which a bundle's reference rows keep"),
        (schema(timestamp="threshold"), r"got 'threshold', a column in which `score` writes"),
        (schema(entity="is_anomaly"), r"got 'is_anomaly'"),
        (features("a", "score"), r"a feature called 'score' would be confused with the score"),
        (features("a", "__filename"), r"got '__filename', the name of a column that pyarrow"),
        (features("a", "__index_level_0__"), r"the name of a column that pyarrow makes itself"),
        # What is derived.
        (
            schema(features={"x": UNIT, "x_vs_peers": UNIT}, derived=[peers("x")]),
            r"schema\.derived\.0\.of\.0: 'x_vs_peers' \(of 'x'\) and 'x_vs_peers' have one name",
        ),
        (
            schema(features={"x": UNIT, "X_VS_Peers": UNIT}, derived=[peers("x")]),
            r"'x_vs_peers' \(of 'x'\) and 'X_VS_Peers' differ by case only",
        ),
        (features("yaw_sin", yaw=ANGLE), r"'yaw_sin' \(of 'yaw'\) and 'yaw_sin' have one name"),
        (features("yaw_cos", yaw=ANGLE), r"'yaw_cos' \(of 'yaw'\) and 'yaw_cos' have one name"),
        (
            features(yaw=ANGLE, Yaw=ANGLE),
            r"'Yaw_sin' \(of 'Yaw'\) and 'yaw_sin' \(of 'yaw'\) differ by case only",
        ),
        # One column in two roles.
        (features("time", "a"), r"features\.time: got 'time', which schema\.timestamp names"),
        (features("a", "machine"), r"features\.machine: got 'machine', which schema\.entity names"),
        (schema(entity="time"), r"schema\.entity: got 'time', which schema\.timestamp names"),
        (
            schema(timestamp="eval_t", evaluation_only=["eval_t"]),
            r"evaluation_only\.0: got 'eval_t', which schema\.timestamp names",
        ),
        # Repeats.
        (schema(entities=["A", "B", "A"]), r"schema\.entities\.2: got 'A' a second time"),
        (schema(derived=[peers("flow", "flow")]), r"derived\.0\.of\.1: got 'flow' a second time"),
        (
            schema(derived=[peers("flow"), peers("load", "flow")]),
            r"derived\.1\.of\.1: got 'flow' a second time",
        ),
        (schema(evaluation_only=["eval_x"] * 2), r"evaluation_only\.1: got 'eval_x' a second"),
        (
            schema(evaluation_only=["eval_x"], exclude_from_training=["eval_x"] * 2),
            r"exclude_from_training\.1: got 'eval_x' a second time",
        ),
        # Names that are invisible or look alike.
        (schema(timestamp=""), r"schema\.timestamp: got an empty name"),
        (schema(entity="  "), r"schema\.entity: got an empty name"),
        (features("a", ""), r"got an empty name"),
        (features("a", " b"), r"got ' b', a name with blanks at an end"),
        (features("a", "b\u00a0"), r"a name with blanks at an end"),
        (features("a", "b\nc"), r"got 'b\\nc', a name with the invisible character '\\n'"),
        (features("a", "b\x7f"), r"the invisible character '\\x7f'"),
        (features("a", "b\ufeffc"), r"the invisible character '\\ufeff'"),
        (features("a", "b\u202ec"), r"the invisible character '\\u202e'"),
        # Machines.
        (schema(entities=["A", ""]), r"schema\.entities\.1: got '', which is no machine's name"),
        (
            schema(entity=None, entities=["A"]),
            r"schema\.entities: lists machines, and schema\.entity names no column",
        ),
    ],
)
def test_a_name_that_cannot_be_kept_is_refused(tmp_path, changes, message):
    said = refusal(put_changed(tmp_path, **changes))

    assert len(said.splitlines()) == (2 if "yaw" in message and "Yaw" in message else 1), said
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"p": "flow", "q": "flow"}, r"maps 'q' onto 'flow', as it does 'p'; one column has one"),
        ({"": "flow"}, r"got an empty name of a source's column"),
        ({"flow": "F-101"}, r"onto 'F-101', which schema lacks; the source's name comes first"),
        ({"T1": "flwo"}, r"onto 'flwo', which schema lacks; did you mean 'flow'\?"),
    ],
)
def test_a_renaming_that_cannot_be_meant_is_refused(tmp_path, rename, message):
    source = {"kind": "csv", "path": "pump.csv", "rename": rename}

    assert re.search(message, refusal(put_changed(tmp_path, source=source)))


@pytest.mark.parametrize(
    "changes",
    [
        {"source": {"kind": "csv", "path": "x", "rename": {"flow": "load", "load": "flow"}}},
        {"source": {"kind": "csv", "path": "x", "rename": {" T ": "flow", "Datum": "time"}}},
        {"source": {"kind": "csv", "path": "x", "rename": {"other": "else"}}},
        features("Wind speed (m/s)", "temp °C", "load %", "a,b", 'say "x"', "ein/aus", "日本"),
        features("Score", "threshold", "is_anomaly", "updated", "timestamp"),
        features("x_vs_peers", "x"),
        features("__a", "_b", "index", "level_0", "name", "values"),
        features("\u0645\u06cc\u200c\u062e", "b"),
        schema(entities=["A", "a ", "A\nB"]),
    ],
)
def test_names_that_work_pass(tmp_path, changes):
    assert load_detector(put_changed(tmp_path, **changes)).name == "pump"


def test_old_bundles_and_pinned_candidates_are_not_judged_by_the_names_of_today():
    columns = {"cadence": "1h", "features": {"T": UNIT, "t": UNIT, "score": UNIT}}

    assert Columns.model_validate(columns).feature_columns == ("T", "t", "score")
    assert make_spec(schema={"features": {"date": UNIT}, "derived": []}).columns.features

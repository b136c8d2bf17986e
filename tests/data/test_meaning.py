"""The meaning of rows, and the changes in a detector file that make them unfit."""

import pytest

from pipeline.data.meaning import (
    as_text,
    from_text,
    lacking,
    meaning_of,
    misfits,
    needed_for_scores,
    spans,
)
from tests.builders import days, make_spec

SPEC = make_spec()
FEATURES = SPEC.columns.model_dump(mode="json")["features"]


def changed(**schema):
    return meaning_of(make_spec(schema=schema).columns)


def feature(name, **keys):
    return {"features": {**FEATURES, name: {**FEATURES[name], **keys}}}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"entity": "machine"}, "have no column machine (theirs is pump)"),
        ({"timestamp": "ts"}, "have no column ts (theirs is timestamp)"),
        ({"cadence": "30min"}, "are 1:00:00 apart instead of 0:30:00"),
        (feature("pressure", unit="Pa"), "have pressure in bar instead of Pa"),
        (feature("flow", offset=-1e9), "have flow in l/s instead of l/s less -1000000000"),
        (feature("angle", circular=False), "have angle as an angle instead of a plain number"),
        ({"features": {**FEATURES, "heat": {"unit": "K"}}}, "have no heat"),
        (
            {"evaluation_only": ["eval_incident", "eval_off"], "incident": "eval_off"},
            "have no eval_off",
        ),
        (
            {"entity": None, "entities": [], "derived": []},
            "are of several machines, by column pump",
        ),
    ],
)
def test_a_change_of_what_rows_hold_makes_the_old_ones_unfit(schema, said):
    assert lacking(misfits(changed(**schema), meaning_of(SPEC.columns))) == said


@pytest.mark.parametrize(
    "schema",
    [
        feature("pressure", range=[0, 30], stuck_after="2h", may_be_constant=True),
        feature("pressure", context=True),
        feature("flow", day_median=[1, 99]),
        {"entities": ["a", "b", "c", "d"]},
        {"features": dict(reversed(FEATURES.items()))},
        {"features": {n: f for n, f in FEATURES.items() if n != "angle"}},
        {"derived": []},
        {"incident": None},
    ],
)
def test_a_change_that_leaves_stored_rows_what_they_are_is_harmless(schema):
    assert misfits(changed(**schema), meaning_of(SPEC.columns)) == ()


def test_a_derived_feature_that_the_file_has_now_is_missing_in_older_rows():
    older = changed(derived=[{"kind": "peer_deviation", "of": ["flow"]}])

    found = misfits(meaning_of(SPEC.columns), older)

    assert lacking(found) == "have no pressure_vs_peers"


def test_marks_never_decide_a_score():
    assert needed_for_scores(SPEC.columns).marks == ()
    assert meaning_of(SPEC.columns).marks == ("eval_incident",)


def test_a_meaning_travels_as_text_that_is_the_same_for_the_same_meaning():
    meaning = meaning_of(SPEC.columns)

    assert from_text(as_text(meaning)) == meaning
    assert as_text(changed(features=dict(reversed(FEATURES.items())))) == as_text(meaning)


def test_days_are_shown_as_spans():
    some = days(9)

    assert spans([*some[5:7], *some[:3]]) == "2024-01-01 to 2024-01-03, 2024-01-06 to 2024-01-07"
    assert spans(some[4:5]) == "2024-01-05"
    assert spans(some[::2]) == "2024-01-01, 2024-01-03, 2024-01-05, 2 more"

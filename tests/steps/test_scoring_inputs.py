"""The inputs of a day's scores: whatever decides a score is in their name, and nothing else."""

from dataclasses import replace

import pytest

from pipeline.data.decision import ChannelDecision
from pipeline.errors import BundleError
from pipeline.steps.scoring_inputs import (
    ScoringBundles,
    lookback_of,
    scoring_bundles_of,
    scoring_inputs_of,
)
from pipeline.store.decisions import add_decision
from tests import ledger_entries
from tests.builders import ROWS_A_DAY, make_spec, moment
from tests.steps.pump_house import EIGHT_DAYS as D
from tests.steps.pump_house import another_house, open_house, station

FEATURES = make_spec().columns.model_dump(mode="json")["features"]
PASCAL = {"features": {**FEATURES, "pressure": {**FEATURES["pressure"], "unit": "Pa"}}}


def inputs(house, *days, spec=None):
    bundles = scoring_bundles_of(house.here, "pumps")
    return scoring_inputs_of(house.here, spec or house.spec, days, bundles).days


def name(house, day=D[3], **given):
    return inputs(house, day, **given)[day].name


def delivered_anew(house, changed):
    house.deliver(changed)
    house.ingest(*D[:5])


def test_a_day_comes_with_its_own_rows_last_and_those_it_looks_back_on_before_them(filled):
    found = inputs(filled, D[3])[D[3]]

    own = found.frame.iloc[-found.own :]
    assert found.own == ROWS_A_DAY
    assert set(own["timestamp"].dt.date) == {D[3]}
    assert set(found.frame["timestamp"].iloc[: -found.own].dt.date) == {D[2]}
    assert found.frame["timestamp"].is_monotonic_increasing
    assert "eval_incident" not in found.frame


def test_a_day_looks_back_as_far_as_its_first_smoothed_score(here, monkeypatch):
    finished = {"smoothing": {"rows": 4}, "contexts": {"by": "entity"}}
    plain = another_house(here, monkeypatch, "plain")
    smooth = another_house(here, monkeypatch, "smooth", **finished)

    spans = [
        lookback_of(house.spec, ScoringBundles(house.live["champion"], None, ""))
        for house in (plain, smooth)
    ]

    assert spans[1] > spans[0]  # by as much as a day has room for


def test_the_name_does_not_depend_on_which_days_are_read_together_nor_in_what_order(filled):
    together = inputs(filled, *D)
    backwards = inputs(filled, *reversed(D))

    alone = {day: name(filled, day) for day in D}

    assert {day: each.name for day, each in together.items()} == alone
    assert {day: each.name for day, each in backwards.items()} == alone
    assert len(set(alone.values())) == len(D)


def test_the_name_does_not_depend_on_the_order_of_rows_or_of_ingestion(filled, here, monkeypatch):
    in_order = name(filled)
    mixed = another_house(here, monkeypatch, "mixed")
    mixed.live = filled.live
    mixed.deliver(station().sample(frac=1, random_state=0))
    for day in (D[3], D[1], D[2]):
        mixed.ingest(day)

    assert name(mixed) == in_order


@pytest.mark.parametrize(
    ("day", "hour", "changes"),
    [(D[3], 5, True), (D[2], 23, True), (D[4], 0, False)],
    ids=["its own", "just before", "after"],
)
def test_the_name_changes_with_rows_that_decide_a_score(filled, day, hour, changes):
    before = name(filled)
    frame = station()
    frame.loc[frame["timestamp"].eq(moment(day, hour)), "flow"] += 0.5

    delivered_anew(filled, frame)

    assert (name(filled) != before) is changes


def test_the_name_does_not_change_with_what_is_for_evaluation_only(filled):
    before = name(filled)

    delivered_anew(filled, station().assign(eval_incident=True))

    assert filled.rows("telemetry", D[3])["eval_incident"].all()
    assert name(filled) == before


def test_the_name_changes_when_rows_get_another_meaning(filled):
    before = name(filled), name(filled, D[4])
    open_house(filled.here, schema=PASCAL)
    filled.ingest(D[3])
    open_house(filled.here)

    found = inputs(filled, D[3], D[4])

    assert "pressure in Pa instead of bar" in found[D[3]].misfit
    assert (found[D[3]].own, found[D[4]].own) == (0, ROWS_A_DAY)
    assert found[D[3]].name != before[0]
    assert found[D[4]].name != before[1]  # it looks back on rows that are left out now
    assert not found[D[4]].misfit


def test_the_name_changes_with_each_bundle_that_scores(filled):
    names = [name(filled)]
    filled.promote(2, scale=0.5)
    names.append(name(filled))
    filled.promote(3, alias="challenger")
    names.append(name(filled))
    filled.promote(4, alias="challenger")
    names.append(name(filled))

    assert len(set(names)) == 4


@pytest.mark.parametrize("sections", [{"shifts": {"share": 0.9}}, {"incidents": {"join": "9h"}}])
def test_the_name_changes_with_the_settings_that_scoring_takes_from_the_file(filled, sections):
    assert name(filled, spec=make_spec(**sections)) != name(filled)


def test_the_name_does_not_change_with_other_settings(filled):
    assert name(filled, spec=make_spec(schedule={"start": "2023-01-01"})) == name(filled)


def test_the_name_changes_from_the_day_from_which_a_decision_counts(filled):
    before = inputs(filled, *D[2:5])
    mute = ChannelDecision("flow", "b", "mute", moment(D[3], 12), "loose", "ann", moment(D[5]))
    add_decision(filled.here, filled.spec, mute)

    after = inputs(filled, *D[2:5])

    changed = {day for day in after if after[day].name != before[day].name}
    assert changed == {D[3], D[4]}
    assert all(after[day].rows == before[day].rows for day in after)


def test_an_author_and_a_note_are_not_in_the_name(filled, here, monkeypatch):
    names = []
    for author in ("ann", "bob"):
        house = another_house(here, monkeypatch, author)
        house.live = filled.live
        house.deliver(station())
        house.ingest(*D[2:4])
        made = ChannelDecision("flow", None, "mute", moment(D[3]), author, author, moment(D[5]))
        add_decision(house.here, house.spec, made)
        names.append(name(house))

    assert names[0] == names[1]


def test_nothing_scores_while_nothing_is_live(filled):
    filled.live.clear()

    assert scoring_bundles_of(filled.here, "pumps") is None


def test_a_champion_needs_no_shadow_of_itself(filled):
    filled.live["challenger"] = replace(filled.live["champion"])

    assert scoring_bundles_of(filled.here, "pumps").versions == (1, None)


@pytest.mark.parametrize(
    ("error", "remark"),
    [(BundleError("torn"), "no shadow: torn"), (KeyError("x"), "no shadow: KeyError: 'x'")],
)
def test_a_challenger_that_cannot_be_read_leaves_a_remark(filled, monkeypatch, error, remark):
    def torn(detector, alias):
        if alias == "challenger":
            raise error
        return filled.by_alias(detector, alias)

    ledger_entries.live_is(monkeypatch, torn)

    bundles = scoring_bundles_of(filled.here, "pumps")

    assert (bundles.versions, bundles.remark) == ((1, None), remark)

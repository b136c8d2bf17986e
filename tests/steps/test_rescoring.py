"""The withdrawal of incidents that a bad version raised."""

import pandas as pd
import pytest

from pipeline import settings, tables
from pipeline.errors import DataError
from pipeline.steps.rescoring import withdraw_and_rescore
from pipeline.store.incidents import incidents_between
from tests.builders import days
from tests.steps.pump_house import bad_night

D = days(5)


@pytest.fixture
def filled(house):
    """Five ingested days; pump b runs wrong from 22:00 to 02:00 between the second and third."""
    house.deliver(bad_night())
    house.ingest(*D)
    return house


def test_incidents_that_only_the_bad_version_saw_are_withdrawn(filled):
    replace_bad_version(filled)

    result = withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")

    assert result["days"] == len(D)
    assert set(filled.rows("scores")["version"]) == {1}
    found = incidents_between(filled.here, filled.spec, D[0], D[4])
    assert {i.version for i in found if i.status == "raised"} == {1}
    assert {i.version for i in found if i.status == "withdrawn"} == {2}
    seen_by_both = [i for i in found if i.start == pd.Timestamp("2024-01-02T22:00Z")]
    assert [i.status for i in seen_by_both if i.entity == "b"] == ["raised"]


def test_withdrawing_again_changes_nothing(filled):
    replace_bad_version(filled)
    withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")
    before = filled.content()

    again = withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")

    assert again["days"] == 0
    assert filled.content() == before


def test_a_withdrawn_incident_stays_so_when_the_day_is_scored_again(filled):
    replace_bad_version(filled)
    withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")
    before = withdrawn_incidents(filled)
    filled.promote(3, scale=0.9)

    filled.score(*D)

    after = withdrawn_incidents(filled)
    assert set(after) <= set(before)
    assert len(after) > len(before) / 2


@pytest.mark.parametrize("dies_at", ["incidents", "scores", "scorings"])
def test_an_interrupted_withdrawal_is_completed_by_the_next(filled, monkeypatch, dies_at):
    replace_bad_version(filled)
    whole = tables.replace_days, tables.append

    def dying(call):
        def write(table, *args, **kwargs):
            if table.name == dies_at:
                raise KeyboardInterrupt
            return call(table, *args, **kwargs)

        return write

    with monkeypatch.context() as patched:
        patched.setattr(tables, "replace_days", dying(whole[0]))
        patched.setattr(tables, "append", dying(whole[1]))
        with pytest.raises(KeyboardInterrupt):
            withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")
    withdraw_and_rescore(settings.load(), "pumps", 2, run="rollback")

    assert set(filled.rows("scores")["version"]) == {1}
    parts = filled.rows("incidents").groupby("status")["version"].unique()
    assert (list(parts["raised"]), list(parts["withdrawn"])) == ([1], [2])


def test_a_version_that_is_still_live_is_not_withdrawn(filled):
    filled.score(*D)

    with pytest.raises(DataError, match="Version 1 is the champion"):
        withdraw_and_rescore(settings.load(), "pumps", 1, run="rollback")


def withdrawn_incidents(house):
    """Their ids, by start."""
    found = incidents_between(house.here, house.spec, D[0], D[4])
    return [each.id for each in found if each.status == "withdrawn"]


def replace_bad_version(house):
    """Version 2, with a third of the right threshold, scores all days; then 1 is back."""
    good = house.live["champion"]
    house.promote(2, scale=1 / 3)
    house.score(*D)
    house.live["champion"] = good

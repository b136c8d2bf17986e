"""Runs that cross, and runs that die: the tables end as if one run had come after the other."""

import pytest

from pipeline import tables
from pipeline.store import score_writing
from pipeline.store.day_records import read_day_records
from pipeline.store.days import day_records, settle_days
from tests.builders import ROWS_A_DAY, on
from tests.steps.pump_house import EIGHT_DAYS as D
from tests.steps.pump_house import another_house, station


def test_two_runs_that_cross_end_as_if_one_had_come_after_the_other(filled, here, monkeypatch):
    filled.score(*D)
    crossed = another_house(here, monkeypatch, "crossed")
    crossed.deliver(station())
    crossed.ingest(D[7])
    meanwhile(monkeypatch, lambda: (crossed.ingest(D[6]), crossed.score(D[6], run="other")))

    crossed.score(D[7])

    assert crossed.content()["scores"][D[7]] == filled.content()["scores"][D[7]]


def test_two_runs_of_one_day_end_with_the_newer_data(filled, monkeypatch):
    changed = station()
    changed.loc[on(changed, "a", [9]) & changed["timestamp"].dt.date.eq(D[1]), "pressure"] += 6
    filled.deliver(changed)
    meanwhile(monkeypatch, lambda: (filled.ingest(D[1]), filled.score(D[1], run="other")))

    filled.score(D[1])

    nine = filled.rows("scores", D[1]).query("entity == 'a' and timestamp.dt.hour == 9")
    assert nine["flag"].all()
    assert filled.score(D[1])["written"] == 0


def test_a_champion_that_moves_meanwhile_has_the_last_word(filled, monkeypatch):
    meanwhile(monkeypatch, lambda: filled.promote(2, scale=0.5))

    result = filled.score(D[1])

    assert result["version"] == 2
    assert set(filled.rows("scores", D[1])["version"]) == {2}


@pytest.mark.parametrize("dies_at", ["incidents", "scores", "scorings", "days"])
def test_an_interrupted_run_is_completed_by_the_next(filled, monkeypatch, dies_at):
    whole = {"replace_days": tables.replace_days, "append": tables.append}

    def dying(name):
        def call(table, *args, **kwargs):
            if table.name == dies_at:
                raise KeyboardInterrupt
            return whole[name](table, *args, **kwargs)

        return call

    for name in whole:
        monkeypatch.setattr(tables, name, dying(name))
    with pytest.raises(KeyboardInterrupt):
        filled.score(D[2])
    assert day_records(filled.here, "pumps") == as_the_tables_say(filled)
    for name, function in whole.items():
        monkeypatch.setattr(tables, name, function)
    filled.score(D[2])

    scorings = filled.rows("scorings")
    assert list(scorings["verdict"]) == ["scored"]
    assert len(filled.rows("scores", D[2])) == ROWS_A_DAY
    assert len(filled.rows("incidents", D[2])) == scorings["incidents"].sum() > 0
    assert day_records(filled.here, "pumps") == as_the_tables_say(filled)
    assert settle_days(filled.here, "pumps") == 0


def as_the_tables_say(house):
    return read_day_records(house.here, "pumps", D[0], D[-1])


def meanwhile(monkeypatch, other):
    """Let `other` happen once, after the next run has read and before it writes."""
    commit, waiting = score_writing.commit, [other]

    def interrupted(*args, **kwargs):
        if waiting:
            waiting.pop()()
        return commit(*args, **kwargs)

    monkeypatch.setattr(score_writing, "commit", interrupted)

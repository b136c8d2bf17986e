import pytest
from deltalake import DeltaTable

from pipeline import tables
from pipeline.settings import Deployment
from pipeline.store.scores import scored_days
from pipeline.store.upkeep import remove_day, rows_on, table_uri, tables_of, tidy_tables
from pipeline.tables import Table
from tests.builders import days, moment, stored_in

DAY, NEXT = days(2)


@pytest.fixture
def here(tmp_path) -> Deployment:
    """Scores of two days in two files each, incidents of the first, and a ledger."""
    root = str(tmp_path)
    for name in ("scores", "scores", "incidents", "ledger"):
        rows = [{"date": DAY, "version": 1}]
        rows += [{"date": NEXT, "version": 1}] if name == "scores" else []
        tables.append(Table(root, "pumps", name), rows)
    (tmp_path / "pumps" / "staging").mkdir()
    return stored_in(tmp_path)


def test_the_tables_of_a_detector_are_those_that_were_written_but_the_ledger(here):
    assert set(tables_of(here, "pumps")) == {"scores", "incidents"}
    assert tables_of(here, "fans") == ()
    assert table_uri(here, "pumps", "scores").endswith("/pumps/scores")


def test_a_day_is_counted_and_removed_in_every_table_that_rows_are_derived_in(here):
    counts = {"cases": 0, "incidents": 1, "scores": 2, "telemetry": 0, "quarantine": 0}
    assert rows_on(here, "pumps", DAY) == counts

    remove_day(here, "pumps", DAY, "by mistake")

    assert not any(rows_on(here, "pumps", DAY).values())
    assert scored_days(here, "pumps") == [NEXT]
    (commit,) = DeltaTable(Table(here.storage, "pumps", "scores").uri).history(limit=1)
    assert commit["why"] == "by mistake"


@pytest.mark.parametrize("dry_run", [True, False])
def test_only_tables_with_something_to_tidy_are_named(here, dry_run):
    done = tidy_tables(here, "pumps", before=moment(DAY), needed_telemetry=(), dry_run=dry_run)

    assert {name: each.compacted for name, each in done.items()} == {"scores": 4}
    again = tidy_tables(here, "pumps", before=moment(DAY), needed_telemetry=(), dry_run=True)
    assert bool(again) == dry_run

"""Days through the live bundle: the tables depend on the data, never on the order of the work."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline import tables
from pipeline.errors import BundleError, DataError, OutageError
from pipeline.scoring import score_frame
from pipeline.steps import scoring
from pipeline.store.ingestions import Attempt, record
from pipeline.tables import Table
from tests import ledger_entries
from tests.builders import ROWS_A_DAY
from tests.steps.pump_house import EIGHT_DAYS as D
from tests.steps.pump_house import another_house, station

FINISHED = {"smoothing": {"rows": 4}, "contexts": {"by": "entity"}}


def test_every_row_gets_its_score_and_a_flag_where_it_is_above_the_threshold(filled):
    result = filled.score(D[2])

    rows = filled.rows("scores", D[2])
    assert len(rows) == ROWS_A_DAY == result["rows"]
    assert (rows["flag"] == (rows["score"] > rows["threshold"])).all()
    assert set(rows["role"]) == {"champion"}
    assert set(rows["version"]) == {1}
    faulty = rows[rows["entity"].eq("a") & rows["timestamp"].dt.hour.isin([4, 5])]
    assert faulty["flag"].all()
    assert faulty["features"].str.startswith('[["pressure"').all()
    assert rows.loc[~rows["flag"], "features"].isna().all()


def test_a_day_is_recorded_with_its_inputs(filled):
    filled.score(D[2], run="pumps__score/r1")

    (row,) = filled.rows("scorings").to_dict("records")
    assert (row["verdict"], row["run_id"], row["version"]) == ("scored", "pumps__score/r1", 1)
    assert row["rows"] == ROWS_A_DAY
    assert row["flags"] == filled.rows("scores", D[2])["flag"].sum()
    assert row["incidents"] == len(filled.rows("incidents", D[2]))
    assert row["median_score"] == filled.rows("scores", D[2])["score"].median()


@pytest.mark.parametrize("how", [{}, {"window": {"length": 3}}, FINISHED], ids=str)
def test_shuffled_in_order_and_bulk_give_the_same_tables(here, monkeypatch, how):
    orders = [list(D), [5, 0, 7, 2, 6, 1, 4, 3], [D]]
    contents = []
    for place, order in enumerate(orders):
        house = another_house(here, monkeypatch, f"lake-{place}", **how)
        house.deliver(station())
        for step in order:
            chunk = step if isinstance(step, list) else [D[step] if isinstance(step, int) else step]
            house.ingest(*chunk)
            house.score(*chunk)
        contents.append(house.content())

    in_order, shuffled, bulk = contents
    assert in_order == shuffled == bulk
    assert len(in_order["scores"]) == len(D)
    assert in_order["incidents"]
    kinds = house.rows("incidents")["kind"].unique()
    assert set(kinds) == {"anomaly", "shifted feature"}


def test_days_get_the_smoothed_scores_that_all_rows_get_together(here, monkeypatch):
    house = another_house(here, monkeypatch, "smooth", **FINISHED)
    house.deliver(station())
    house.ingest(*D[:6])
    for day in D[:6]:
        house.score(day)

    rows = house.rows("scores").sort_values(["timestamp", "entity"], ignore_index=True)
    telemetry = house.rows("telemetry").sort_values(["timestamp", "pump"], ignore_index=True)
    together = score_frame(house.live["champion"].bundle, telemetry)

    np.testing.assert_allclose(rows["score"], together["score"], rtol=1e-5)
    assert rows["flag"].any()


def test_a_smoothed_flag_is_blamed_on_the_rows_that_it_comes_from(here, monkeypatch):
    house = another_house(here, monkeypatch, "smooth", **FINISHED)
    house.deliver(station())
    house.ingest(*D[:3])
    house.score(D[2])

    rows = house.rows("scores", D[2])
    # The fault is over at 6; the mean of four rows is not.
    after = rows[rows["entity"].eq("a") & rows["timestamp"].dt.hour.isin([6, 7])]
    assert after["flag"].all()
    assert after["features"].str.startswith('[["pressure"').all()


def test_late_data_score_the_next_day_again(filled, here, monkeypatch):
    filled.score(*D)
    late = another_house(here, monkeypatch, "late")
    late.deliver(station())
    late.ingest(D[7])
    late.score(D[7])
    alone = late.content()["scores"][D[7]]
    late.ingest(D[6])
    late.score(D[6])

    assert late.content()["scores"][D[7]] == filled.content()["scores"][D[7]]
    assert late.content()["scores"][D[7]] != alone


def test_rows_after_a_day_change_nothing_of_it(filled, here, monkeypatch):
    filled.score(D[6])
    early = another_house(here, monkeypatch, "early")
    early.deliver(station())
    early.ingest(*D[:7])
    early.score(D[6])

    assert early.content() == filled.content()


def test_doing_it_again_writes_nothing(filled):
    filled.score(*D)
    before = {name: version(filled, name) for name in ("scores", "incidents", "scorings")}

    result = filled.score(*D)

    assert result["written"] == 0
    assert result["rows"] == len(D) * ROWS_A_DAY
    assert before == {name: version(filled, name) for name in before}


def test_parts_that_fit_into_little_memory_give_the_same_tables(filled, here, monkeypatch):
    filled.score(*D)
    small = another_house(here, monkeypatch, "small")
    small.deliver(station())
    small.ingest(*D)
    monkeypatch.setattr(scoring, "_MOST_CELLS", 1)  # less than a day: each is a part of its own

    small.score(*D)

    assert small.content() == filled.content()
    assert version(small, "scores") == version(filled, "scores") + len(D) - 1


def test_a_challenger_scores_in_shadow_and_raises_nothing(filled):
    filled.score(D[2])
    before = filled.content()["incidents"]
    filled.promote(2, scale=0.15, alias="challenger")

    result = filled.score(D[2])

    rows = filled.rows("scores", D[2]).groupby("role")["version"].agg(["size", "max"])
    assert rows.loc["challenger"].tolist() == [ROWS_A_DAY, 2]
    assert rows.loc["champion"].tolist() == [ROWS_A_DAY, 1]
    assert filled.content()["incidents"] == before
    assert result["challenger"] == 2


def test_a_challenger_that_cannot_be_read_costs_only_its_shadow(filled, monkeypatch):
    def torn(detector, alias):
        if alias == "challenger":
            raise BundleError("torn")
        return filled.by_alias(detector, alias)

    ledger_entries.live_is(monkeypatch, torn)

    filled.score(D[2])

    assert set(filled.rows("scores", D[2])["role"]) == {"champion"}
    assert list(filled.rows("scorings")["reason"]) == ["no shadow: torn"]


def test_without_a_champion_nothing_is_written_and_the_answer_says_so(filled):
    filled.live.clear()

    result = filled.score(*D)

    assert "no champion yet" in result["skipped"]
    assert filled.rows("scores").empty
    assert filled.rows("scorings").empty


def test_a_day_without_telemetry_ends_without_scores(filled):
    filled.score(D[2])
    table = Table(filled.here.storage, "pumps", "telemetry")
    nothing = pa.Table.from_pandas(filled.rows("telemetry").iloc[:0], preserve_index=False)
    tables.replace_days(table, [D[2]], nothing, metadata={})
    withdrawal = Attempt(D[2], datetime.now(UTC), "r", "empty", "empty")
    record(filled.here, "pumps", [withdrawal])

    result = filled.score(D[2])

    assert result["rows"] == 0
    assert filled.rows("scores", D[2]).empty
    assert filled.rows("incidents", D[2]).empty
    scorings = filled.rows("scorings").sort_values("scored_at")
    assert list(scorings["verdict"]) == ["scored", "empty"]


def test_an_outage_is_recorded_before_it_is_raised(filled, monkeypatch):
    def silent(_detector, _alias):
        raise OutageError("the registry does not answer")

    ledger_entries.live_is(monkeypatch, silent)

    with pytest.raises(OutageError):
        filled.score(D[0], D[1])

    scorings = filled.rows("scorings")
    assert list(scorings["verdict"]) == ["failed", "failed"]
    assert scorings["reason"].eq("OutageError: the registry does not answer").all()


def test_a_day_that_cannot_be_scored_is_named_and_the_others_are_scored(filled):
    spoil(filled, D[3])

    with pytest.raises(DataError, match=f"1 of 8 days .* {D[3]}: .*flow"):
        filled.score(*D)

    assert set(filled.rows("scores")["date"]) == set(D) - {D[3]}
    scorings = filled.rows("scorings").set_index("date")["verdict"]
    assert scorings[D[3]] == "failed"
    assert scorings.drop(D[3]).eq("scored").all()


def test_no_day_at_all_is_refused(house):
    with pytest.raises(DataError, match="no day to score"):
        house.score()


def spoil(house, day):
    """Put a value into telemetry that no network can take."""
    rows = house.rows("telemetry", day)
    rows.loc[rows.index[5], "flow"] = np.float32("inf")
    content = pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False)
    tables.replace_days(
        Table(house.here.storage, "pumps", "telemetry"), [day], content, metadata={}
    )


def version(house, name):
    return tables.current_version(Table(house.here.storage, "pumps", name))


def test_no_day_counts_as_scored_that_the_cases_do_not_know(filled, monkeypatch):
    def unreachable(*_):
        raise OutageError("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "settle_cases", unreachable)
        with pytest.raises(OutageError):
            filled.score(D[0])
    assert filled.rows("scores").empty

    filled.score(D[0])
    assert len(filled.rows("cases")) == 1

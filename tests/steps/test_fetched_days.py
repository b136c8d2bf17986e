"""A day whose rows cannot be read costs no other day anything."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import DataError, DaysFailed
from pipeline.steps import ingestion
from pipeline.steps.fetched_days import fetch_days, readable_days
from pipeline.tables import Table, read
from tests.builders import ROWS_A_DAY, days, make_frame, make_spec

WEEK = days(7)
NAMES = [str(day) for day in WEEK]


@pytest.fixture
def deliveries(here):
    """A source with a file for each of seven days; their folder."""
    folder = Path(here.data) / "deliveries"
    folder.mkdir()
    spec = make_spec(source={"kind": "parquet", "path": "deliveries/{date}.parquet"})
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    frame = make_frame(len(WEEK))
    for day in WEEK:
        frame[frame["timestamp"].dt.date == day].to_parquet(folder / f"{day}.parquet")
    return folder


def states(here, day):
    rows = read(Table(here.storage, "pumps", "ingestions"), first_day=day, last_day=day)
    return list(rows["standing"])


def test_the_others_of_a_range_are_ingested_and_the_damaged_days_are_named(here, deliveries):
    ingestion.load(here, "pumps", NAMES[:2], run="before")
    for day in (WEEK[3], WEEK[6]):
        (deliveries / f"{day}.parquet").write_bytes(b"damaged")

    written = ingestion.load(here, "pumps", NAMES, run="r")

    assert written["accepted"] == 5 * ROWS_A_DAY
    assert written["verdicts"] == {"unchanged": 2, "validated": 3}
    assert states(here, WEEK[0]) == ["validated", "validated"]
    assert states(here, WEEK[3]) == states(here, WEEK[6]) == ["failed"]
    with pytest.raises(DaysFailed, match=f"2 of 7 days have failed:\n{WEEK[3]}: DataError: .*"):
        ingestion.refuse_blocked(here, "pumps", NAMES)


def test_a_range_of_which_no_day_can_be_read_is_refused_when_all_are_on_record(here, deliveries):
    for day in WEEK[:2]:
        (deliveries / f"{day}.parquet").write_bytes(b"damaged")

    with pytest.raises(DaysFailed, match="no Parquet file"):
        ingestion.load(here, "pumps", NAMES[:2], run="r")

    assert states(here, WEEK[0]) == states(here, WEEK[1]) == ["failed"]


def test_days_are_staged_in_order_whichever_of_them_is_damaged(here, deliveries):
    (deliveries / f"{WEEK[2]}.parquet").write_bytes(b"damaged")
    spec = make_spec(source={"kind": "parquet", "path": f"{deliveries}/{{date}}.parquet"})

    staged, unread = readable_days(here, spec, WEEK)

    assert [day for part in staged.parts for day in part.days] == WEEK[:2] + WEEK[3:]
    assert list(unread) == [WEEK[2]]


def test_no_day_is_refused(here):
    for asked in (fetch_days, readable_days):
        with pytest.raises(DataError, match="name at least one"):
            asked(here, make_spec(), [])

"""The store on a real PostgreSQL."""

from __future__ import annotations

import dataclasses
import multiprocessing
import threading
from datetime import timedelta

import psycopg2
import pytest

from pipeline.errors import OutageError
from pipeline.metrics import postgres
from pipeline.metrics.postgres import Cost, newest, record, refuse_silence, spend
from pipeline.metrics.readings import FitReading
from tests.metrics.made import DAY, NOON, SCORED, every_topic, reading
from tests.postgres_server import execute

pytestmark = pytest.mark.integration

ONE_DAY = timedelta(days=1)
NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"


def held(dsn: str) -> list[tuple]:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT detector, topic, day, content FROM readings ORDER BY 1, 2, 3")
            return cursor.fetchall()
    finally:
        connection.close()


def reader_of(dsn: str) -> str:
    """The same database as the role that the exporter has."""
    execute(
        dsn,
        "DO $$ BEGIN CREATE ROLE plimsoll_reader LOGIN PASSWORD 'r'; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    # Another test may have made the role, with a password of its own.
    execute(dsn, "ALTER ROLE plimsoll_reader LOGIN PASSWORD 'r'")
    return dsn.replace("plimsoll:plimsoll-test@", "plimsoll_reader:r@")


def test_every_topic_comes_back_as_it_was_recorded(database):
    record(database, every_topic())

    found = {each.topic: each for each in newest(database).readings}

    assert found == {each.topic: each for each in every_topic()}


def test_a_backfilled_older_day_does_not_hide_a_newer_one(database):
    newer, older = dataclasses.replace(SCORED, rows=7), dataclasses.replace(SCORED, rows=1)
    record(database, [reading(content=newer)])

    later = NOON + timedelta(hours=1)
    record(database, [reading(content=older, day=DAY - ONE_DAY, at=later)])

    assert [each.content for each in newest(database).readings] == [newer]


def test_a_day_recorded_twice_is_held_once(database):
    record(database, every_topic())
    once = held(database)

    record(database, every_topic())

    assert held(database) == once


def test_of_two_readings_of_a_day_the_one_that_was_read_later_stays(database):
    fresh = dataclasses.replace(SCORED, rows=7)
    record(database, [reading(content=fresh, at=NOON)])

    record(database, [reading(content=SCORED, at=NOON - ONE_DAY)])

    assert newest(database).readings[0].content == fresh


def test_a_day_of_which_there_is_nothing_left_to_say_shows_the_day_before(database):
    record(database, [reading(day=DAY - ONE_DAY), reading()])

    record(database, [reading(content=None, at=NOON + ONE_DAY)])

    assert [each.day for each in newest(database).readings] == [DAY - ONE_DAY]


def test_all_readings_of_a_call_are_kept_or_none(database):
    record(database, every_topic())
    before = held(database)
    timeless = dataclasses.replace(reading(day=DAY + 2 * ONE_DAY), recorded_at=None)

    with pytest.raises(OutageError, match="null value"):
        record(database, [reading(day=DAY + ONE_DAY), timeless])

    assert held(database) == before


def test_a_topic_keeps_four_hundred_days_behind_its_newest(database):
    record(database, [reading(day=DAY - n * ONE_DAY) for n in range(410)])

    days = [day for _, _, day, _ in held(database)]

    assert (days[0], days[-1], len(days)) == (DAY - 400 * ONE_DAY, DAY, 401)


def test_the_newest_of_each_detector_is_shown_beside_the_others(database):
    record(database, [reading(detector=name, day=DAY + n * ONE_DAY)
                      for name in ("a", "b", "c") for n in range(3)])  # fmt: skip

    found = [(each.detector, each.day) for each in newest(database).readings]

    assert found == [(name, DAY + 2 * ONE_DAY) for name in ("a", "b", "c")]


def test_costs_add_up(database):
    spend(database, "pumps", "train", 2.5)
    spend(database, "pumps", "train", 1.0)

    assert newest(database).costs == (Cost("pumps", "train", 3.5, 2),)


def test_before_the_first_reading_there_is_nothing_and_no_error(database):
    assert newest(database) == postgres.Newest((), ())


def write_at_once(dsn: str, detector: str, barrier: multiprocessing.Barrier) -> None:
    barrier.wait()
    record(dsn, [reading("trained", FitReading(1.0), detector=detector)])


def test_writers_that_race_on_first_use_all_succeed(database):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(8)
    writers = [
        context.Process(target=write_at_once, args=(database, f"d{n}", barrier)) for n in range(8)
    ]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)

    assert [writer.exitcode for writer in writers] == [0] * 8
    assert len(held(database)) == 8


def test_writers_of_the_same_days_in_opposite_order_never_wait_in_a_ring(database):
    record(database, [reading()])
    span = [reading(day=DAY + n * ONE_DAY) for n in range(300)]
    failed: list[OutageError] = []

    def write(readings: list) -> None:
        try:
            for _ in range(5):
                record(database, readings)
        except OutageError as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(days,)) for days in (span, span[::-1])]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert failed == []


@pytest.mark.parametrize("tables_first", [False, True])
def test_the_reader_can_scrape_and_cannot_write(database, tables_first):
    reader = reader_of(database)
    if tables_first:  # then it was granted nothing when they were made
        record(database, every_topic())
        execute(database, "REVOKE ALL ON readings, cost FROM plimsoll_reader")
    record(database, every_topic())
    spend(database, "pumps", "train", 1.0)

    found = newest(reader)

    assert len(found.readings) == len(every_topic())
    assert len(found.costs) == 1
    with pytest.raises(OutageError, match="permission denied"):
        record(reader, [reading(content=None)])
    with pytest.raises(OutageError, match="permission denied"):
        spend(reader, "pumps", "train", 1.0)


def test_a_store_that_does_not_answer_is_an_outage():
    for call in (lambda: record(NOWHERE, every_topic()), lambda: newest(NOWHERE),
                 lambda: spend(NOWHERE, "a", "b", 1), lambda: refuse_silence(NOWHERE)):  # fmt: skip
        with pytest.raises(OutageError, match="PLIMSOLL_DATABASE does not answer"):
            call()


def test_what_another_release_wrote_is_left_out(database):
    record(database, [reading("trained", FitReading(1.0)), reading()])
    execute(database, "UPDATE readings SET content = '{\"hours\": 2}' WHERE topic = 'trained'")

    assert [each.topic for each in newest(database).readings] == ["scored"]

"""The files that lineage goes to by default."""

import json
import multiprocessing
import time

import pytest

from pipeline.file_lock import file_lock
from pipeline.lineage.events import LineageFiles
from tests.lineage.reading import events_in

WRITERS, EACH = 4, 50


def write(folder, writer):
    files = LineageFiles(folder)
    for number in range(EACH):
        # Far longer than one page, so that two unguarded writes would show.
        files.append(json.dumps({"writer": writer, "number": number, "padding": "x" * 20_000}))


def test_lines_of_processes_that_write_at_once_do_not_mix(tmp_path):
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=write, args=(tmp_path, number)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    events = events_in(tmp_path)

    assert len(events) == WRITERS * EACH
    for number in range(WRITERS):
        assert [e["number"] for e in events if e["writer"] == number] == list(range(EACH))


def test_the_folder_stays_bounded_and_keeps_the_newest(tmp_path):
    files = LineageFiles(tmp_path, file_bytes=1_000, files_kept=3)

    for number in range(200):
        files.append(json.dumps({"number": number, "padding": "x" * 80}))

    held = sum(path.stat().st_size for path in tmp_path.iterdir())
    numbers = [event["number"] for event in events_in(tmp_path)]
    assert held < (3 + 1) * (1_000 + 120)  # a file is full once it has crossed its limit
    assert numbers == list(range(numbers[0], 200))


def test_whoever_holds_the_lock_for_long_costs_a_writer_a_second_and_no_more(tmp_path):
    with file_lock(tmp_path / ".lock"):
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="other writers"):
            LineageFiles(tmp_path).append("{}")

    assert time.monotonic() - began < 5

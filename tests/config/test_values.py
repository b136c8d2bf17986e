"""Values that no day could be run with: zones, cron lines, delimiters, spans of time."""

from __future__ import annotations

import zoneinfo

import pytest

from pipeline.config import load_detector
from tests.builders import make_spec
from tests.config.files import content, put_changed, refusal, schema

SOURCES = {
    "csv": {"kind": "csv", "path": "pump.csv"},
    "parquet": {"kind": "parquet", "path": "pump.parquet"},
    "sql": {
        "kind": "sql",
        "url_env": "PLIMSOLL_SOURCE_PLANT",
        "query": "SELECT 1 WHERE :start < :end",
    },
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize(
    ("zone", "nearest"),
    [
        ("Europe/Pariss", "Europe/Paris"),
        ("europe/paris", "Europe/Paris"),
        ("Paris", "Europe/Paris"),
        ("America/New York", "America/New_York"),
        ("CEST", "Europe/Berlin"),
        ("PST", "America/Los_Angeles"),
        ("+01:00", "Etc/GMT-1"),
        ("UTC-5", r"Etc/GMT\+5"),
        ("utc", "UTC"),
        ("", "UTC"),
        ("Mars/Olympus", "a place such as Europe/Paris"),
        ("../UTC", "a place such as Europe/Paris"),
        ("localtime", "a place such as Europe/Paris"),
        ("Europe", ""),
        ("x" * 100_000, "a place such as Europe/Paris"),
    ],
)
def test_a_zone_that_is_none_is_refused_with_the_nearest(tmp_path, kind, zone, nearest):
    said = refusal(put_changed(tmp_path, source=SOURCES[kind] | {"timezone": zone}))

    assert said.startswith(f"{3 + len(SOURCES[kind])}: source.timezone: got ")
    assert nearest.replace("\\", "") in said
    assert len(said) < 300


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Etc/GMT-1", "CET", "Asia/Kathmandu"])
def test_every_zone_of_the_list_passes(tmp_path, zone):
    source = SOURCES["csv"] | {"timezone": zone}

    assert zoneinfo.ZoneInfo(load_detector(put_changed(tmp_path, source=source)).source.timezone)


@pytest.mark.parametrize("key", ["train", "recalibrate", "housekeeping"])
@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("99 3 1 * *", "'99 3 1 * *' is no cron line; its fields are minute 0-59"),
        ("0 24 1 * *", "is no cron line; its fields"),
        ("0 3 0 * *", "is no cron line; its fields"),
        ("0 3 1 13 *", "is no cron line; its fields"),
        ("0 3 * * 8", "is no cron line; its fields"),
        ("0 3 * * monday", "is no cron line; its fields"),
        ("0 3 * foo *", "is no cron line; its fields"),
        ("*/0 3 * * *", "is no cron line; its fields"),
        ("-1 3 * * *", "is no cron line; its fields"),
        ("0 3 30 2 *", "'0 3 30 2 *' never comes: no month has that day"),
        ("0 3 31 4,6,9,11 *", "never comes: no month has that day"),
        ("R 3 * * *", "leaves a field to chance"),
        ("0 H * * *", "leaves a field to chance"),
        ("@daily", "is no cron line; write five fields"),
        ("", "is no cron line; write five fields"),
        ("0 0 3 1 * *", "is no cron line; write five fields"),
        ("1," * 5000 + "1 3 * * *", "is no cron line; write five fields"),
    ],
)
def test_a_cron_line_that_never_comes_is_refused(tmp_path, key, cron, message):
    schedule = content()["schedule"] | {key: cron}
    said = refusal(put_changed(tmp_path, schedule=schedule))

    assert f"schedule.{key}: " in said
    assert message in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "cron", ["0 3 1 * *", "*/15 3-5 * * mon-fri", "0 3 29 2 *", "0 3 l * *", "5 4 * jan,jul sun"]
)
def test_a_cron_line_that_comes_round_passes(tmp_path, cron):
    schedule = content()["schedule"] | {"train": cron}

    assert load_detector(put_changed(tmp_path, schedule=schedule)).schedule.train == cron


@pytest.mark.parametrize(
    ("delimiter", "message"),
    [
        ("\\t", 'a tabulator is written in double quotes: delimiter: "\\t"'),
        ("TAB", 'a tabulator is written in double quotes: delimiter: "\\t"'),
        ("semicolon", 'write the character itself: delimiter: ";"'),
        ("", "a delimiter is one character"),
        (";;", "a delimiter is one character"),
        ("\n", "cannot separate columns"),
        ('"', "cannot separate columns"),
        ("t", "cannot separate columns"),
        (".", "cannot separate columns"),
        ("§", "cannot separate columns"),
    ],
)
def test_a_delimiter_that_separates_nothing_is_refused(tmp_path, delimiter, message):
    source = SOURCES["csv"] | {"delimiter": delimiter}

    assert message in refusal(put_changed(tmp_path, source=source))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "~"])
def test_a_character_that_separates_passes(tmp_path, delimiter):
    source = SOURCES["csv"] | {"delimiter": delimiter}

    assert load_detector(put_changed(tmp_path, source=source)).source.delimiter == delimiter


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (schema(cadence="10000000000d"), "schema.cadence: got '10000000000d'; limit 36,500 days"),
        (schema(cadence="999999999999d"), "schema.cadence: got '999999999999d'; limit 36,500"),
        (schema(cadence="9" * 500 + "s"), "limit 36,500 days"),
        (schema(cadence="P99999999999D"), "schema.cadence: got 'P99999999999D'"),
        (schema(cadence=10**30), "schema.cadence: got 10000"),
        (schema(cadence="2d"), "schema.cadence: got 2 days, 0:00:00; limit 1d"),
        (schema(cadence="P7D"), "schema.cadence: got 7 days, 0:00:00; limit 1d"),
        (schema(cadence="0s"), "schema.cadence: got '0:00:00'; should be greater than 0"),
        (schema(cadence="0.0000001s"), "should be greater than 0"),
        (schema(cadence="0.00001s"), "limit 1 ms"),
        (schema(cadence=-60), "should be greater than 0"),
        (schema(cadence="1e3s"), "which is no span of time"),
        (
            schema(features={"flow": {"unit": "1", "stuck_after": -5}}),
            "schema.features.flow.stuck_after: got -1 day, 23:59:55; limit: above 0",
        ),
        ({"incidents": {"join": "99999d"}}, "incidents.join: got '99999 days, 0:00:00'; limit"),
        ({"housekeeping": {"history_days": 10**9}}, "history_days: got 1000000000"),
        ({"recalibration": {"window_days": 10**40}}, "recalibration.window_days: got 1000"),
        ({"source": SOURCES["csv"] | {"path": " "}}, "source.path: is empty"),
        ({"source": SOURCES["parquet"] | {"path": "a\0b"}}, "holds control characters"),
        (
            {"notify": {"channel": "smtp", "connection": "c", "to": ["a@b.org\nBcc: x"]}},
            "which is no mail address",
        ),
    ],
)
def test_a_value_that_no_day_could_be_run_with_is_refused(tmp_path, changes, message):
    said = refusal(put_changed(tmp_path, **changes))

    assert message in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "path", ["https://x/y.csv", "S3://b/x", "s3://", "file://h/x", "az://c/x", "s3://u:pw@b/x.csv"]
)
def test_a_path_that_nobody_can_read_is_refused_without_its_login(tmp_path, path):
    said = refusal(put_changed(tmp_path, source=SOURCES["csv"] | {"path": path}))

    assert "source.path: " in said
    assert "s3://bucket/" in said
    assert "pw" not in said


def test_a_url_in_the_place_of_a_variable_is_not_shown(tmp_path):
    url = "postgresql://u:geheim@h/db"

    said = refusal(put_changed(tmp_path, source=SOURCES["sql"] | {"url_env": url}))

    assert "source.url_env: is no name of a variable" in said
    assert "PLIMSOLL_SOURCE_PLANT" in said
    assert "geheim" not in said


@pytest.mark.parametrize(
    ("channels", "limits", "least"),
    [
        (1, {}, 1),
        (2, {}, 2),
        (3, {}, 2),
        (7, {}, 4),
        (7, {"minimum_channels": 1}, 1),
        (10, {"missing_cells": 0.3}, 7),
        (10, {"missing_cells": 0.3, "minimum_channels": 9}, 9),
        (10, {"missing_cells": 0.3, "minimum_channels": 2}, 7),
    ],
)
def test_a_row_needs_half_of_its_channels_unless_the_file_says_otherwise(channels, limits, least):
    features = {f"c{at}": {"unit": "1"} for at in range(channels)}
    model = {"family": "masked"} if "missing_cells" in limits else {}
    spec = make_spec(schema={"features": features, "derived": []}, validation=limits, model=model)

    assert spec.minimum_channels == least

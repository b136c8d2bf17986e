"""People's verdicts in a training window: which rows they exclude, and from when on."""

import json
from datetime import timedelta

import pytest

from pipeline import records
from pipeline.data.label import Label
from pipeline.data.split import normal_rows, split
from pipeline.evaluation.metrics import detection, evaluated_rows
from pipeline.store.labels import add_labels
from pipeline.store.telemetry import telemetry_table
from pipeline.store.training_window import WindowManifest, read_training_window
from pipeline.tables import Table, replace_days
from tests.builders import days, make_spec, make_telemetry, moment, on, stored_in

SPEC = make_spec(split={"training_days": 12, "minimum_days": 6})
LAST = days(12)[-1]
AS_OF = LAST + timedelta(days=1)
MORNING = moment(LAST, 6)


@pytest.fixture
def lake(tmp_path):
    """Twelve days of telemetry; the source itself marks pump c as broken at midnight."""
    frame = make_telemetry(12)
    frame["eval_incident"] = on(frame, "c", [0])
    rows = telemetry_table(frame, SPEC.columns)
    replace_days(Table(str(tmp_path), SPEC.name, "telemetry"), days(12), rows, metadata={})
    return str(tmp_path)


def say(lake, verdict, *, entity="a", hours=(3, 5), at=MORNING):
    """About these hours of each day up to the one before last."""
    labels = [
        Label(moment(day, hours[0]), moment(day, hours[1]), entity, verdict, "", "ann", at)
        for day in days(11)
    ]
    add_labels(stored_in(lake), SPEC.name, labels)


def read(lake, as_of=AS_OF):
    return read_training_window(stored_in(lake), SPEC, as_of)


def test_a_labelled_incident_does_not_train_and_tests_the_candidate(lake):
    say(lake, "incident")

    blocks = split(read(lake).frame, SPEC)

    for block in (blocks.train, blocks.calibration):
        assert not on(block.frame, "a", [3, 4, 5]).any()
    assert on(blocks.test.frame, "a", [3, 4, 5]).any()


def test_the_window_records_which_labels_it_used(lake):
    say(lake, "incident", at=moment(LAST, 7))

    manifest = read(lake).manifest

    assert (manifest.labels, manifest.newest_label) == (11, moment(LAST, 7))
    assert manifest.excluded == {"eval_incident": 12, "eval_label": 11 * 3}
    assert manifest.normal_rows == 12 * 72 - 12 - 11 * 3


def test_labels_made_on_the_as_of_day_or_later_change_nothing(lake):
    before = read(lake)
    say(lake, "incident", at=moment(AS_OF) + timedelta(microseconds=1))

    after = read(lake)

    assert after.manifest == before.manifest
    assert after.frame.equals(before.frame)
    assert read(lake, AS_OF + timedelta(days=1)).manifest.labels == 11


def test_a_false_alarm_withdraws_an_earlier_verdict(lake):
    say(lake, "incident", at=moment(LAST, 1))
    say(lake, "normal", at=moment(LAST, 2))

    window = read(lake)

    assert window.manifest.labels == 22
    assert normal_rows(window.frame, SPEC.columns)[on(window.frame, "a", [3, 4, 5])].all()


def test_a_false_alarm_does_not_take_back_what_the_source_says(lake):
    say(lake, "normal", entity="c", hours=(0, 1))

    frame = read(lake).frame

    assert not normal_rows(frame, SPEC.columns)[on(frame, "c", [0])].any()


def test_a_labelled_incident_is_a_known_incident_beside_those_of_the_source(lake):
    say(lake, "incident")
    frame = read(lake).frame
    score = on(frame, "a", [4]).to_numpy(dtype=float)

    found = detection(evaluated_rows(frame, score, SPEC.columns), 0.5)

    seen = {incident.entity for incident in found.incidents if incident.flagged}
    assert len(found.incidents) == 12 + 11
    assert (found.hit, seen) == (11, {"a"})


def test_a_detector_without_an_incident_column_learns_of_incidents_by_labels(lake):
    unmarked = make_spec(schema={"incident": None, "exclude_from_training": []})
    frame = read(lake).frame
    score = on(frame, "a", [4]).to_numpy(dtype=float)
    assert evaluated_rows(frame, score, unmarked.columns).incident is None

    say(lake, "incident")
    frame = read(lake).frame

    assert detection(evaluated_rows(frame, score, unmarked.columns), 0.5).hit == 11


def test_a_manifest_from_before_there_were_labels_can_be_read(lake):
    written = json.loads(json.dumps(records.to_json(read(lake).manifest)))
    del written["labels"], written["newest_label"]

    assert records.from_json(WindowManifest, written) == read(lake).manifest

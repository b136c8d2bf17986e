"""What open cases are about does not train: whole rows of episodes, of shifts only the cells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from pipeline.cases import Case, CaseAnswer, CaseSpan, ChannelRange
from pipeline.cases.records import Departure
from pipeline.config import DetectorSpec, Window
from pipeline.data.split import normal_rows, of_open_case, split
from pipeline.data.timeline import rows_within, timeline_from
from pipeline.data.unscored_days import UnscoredDays
from pipeline.errors import TooFewDays
from pipeline.records import from_json
from pipeline.steps import fitting, live, open_case_rows, unscored_days
from pipeline.steps.candidate import Candidate, detector_named
from pipeline.steps.open_case_rows import LeftOut, left_out, spans_left_out
from pipeline.steps.origin import TrainingInputs, origin_of
from pipeline.steps.shifted_cells import CellReplacement, replacement_for
from tests.builders import days, make_spec, make_telemetry, moment
from tests.steps.plant_world import HISTORY, make_world

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

LAST = days(HISTORY)[-1]
AS_OF = LAST + timedelta(days=1)
FEATURES = make_spec().model_dump(mode="json", by_alias=True)["schema"]["features"]
IN_HOURS = {"flow": {"unit": "l/h"}}
OF_PRESSURE = ["pressure", "pressure_vs_peers"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield make_world(tmp_path_factory.mktemp("farm"), patch)


@pytest.fixture(scope="module")
def spec(world) -> DetectorSpec:
    """The detector as its file has it, whose features are not in the order of the alphabet."""
    return detector_named(world.here, "pumps")


@pytest.fixture(scope="module")
def champion(world):
    return live.champion(world.here, "pumps")


def span(first: int, last: int, *, kind="episode", entity="a", channel="pressure", case="c1"):
    """Whole days of a machine, counted back from the last day of the window."""
    start, end = (LAST - timedelta(days=back) for back in (first, last))
    of = (channel,) if kind == "shift" else None
    return CaseSpan(case, kind, entity, of, moment(start), moment(end, 23), None, None)


def opened(monkeypatch, *spans: CaseSpan) -> None:
    monkeypatch.setattr(open_case_rows, "spans_left_out", lambda *_: spans)


def window_of(world, **settings) -> Candidate:
    return from_json(Candidate, fitting.window(world.here, "pumps", AS_OF.isoformat(), **settings))


def frame_of(n_days=20) -> pd.DataFrame:
    """Telemetry of the last days, pressure of pump a far off in the last four."""
    frame = make_telemetry(n_days, first_day=LAST - timedelta(days=n_days - 1))
    frame.loc[inside(frame, 3, 0), OF_PRESSURE] += 9
    return frame


def inside(frame, first: int, last: int, *, entity="a") -> pd.Series:
    of = span(first, last)
    return (frame["pump"] == entity) & frame["timestamp"].between(of.start, of.end)


def without(frame, spec, *spans: CaseSpan, how: CellReplacement | None) -> LeftOut:
    rows = rows_within(timeline_from(frame, spec.columns), spans)
    return left_out(frame, spec, list(zip(spans, rows, strict=True)), how)


def test_rows_of_an_episode_do_not_train_and_test_the_candidate(world, monkeypatch):
    opened(monkeypatch, span(4, 1))

    candidate = window_of(world)

    _, inputs = origin_of(candidate, TrainingInputs)
    left = fitting.open_case_rows_of(candidate)
    assert set(left["pump"]) == {"a"}
    assert left["timestamp"].dt.date.nunique() == 4
    for role in ("train", "calibration"):
        frame = fitting.block_of(candidate, role).frame
        assert not of_open_case(frame).any()
        assert not inside(frame, 4, 1).any()
    assert inputs.window.excluded["eval_open_case"] == len(left)
    assert inputs.window.rows > inputs.window.normal_rows
    assert inputs.window.replaced is None


ANEW = moment(LAST - timedelta(days=2))
BEFORE = Departure(moment(LAST - timedelta(days=9)), 30.0)


@pytest.mark.parametrize(
    "since",
    [
        {"resumed": (ANEW,)},
        {
            "ranges": (ChannelRange("pressure", 0.0, 20.0, 0.4),),
            "departures": (BEFORE, Departure(ANEW, 41.0)),
        },
    ],
    ids=["after calm rows", "twice as far out"],
)
def test_rows_since_an_accepted_case_went_on_anew_do_not_train(world, monkeypatch, since):
    record = Case(
        "c1", "shift", moment(LAST - timedelta(days=9)), moment(LAST, 23), ("a",), ("pressure",),
        "pressure stays outside its training range.",
    )  # fmt: skip
    said = CaseAnswer(
        "c1", "shift", "a", "pressure", record.start, moment(LAST - timedelta(days=6)),
        "normal from now on", "a new valve", "ann", moment(LAST - timedelta(days=5)),
    )  # fmt: skip
    monkeypatch.setattr(open_case_rows, "answers_known", lambda *_: (said,))

    def shifts_of(case):
        monkeypatch.setattr(open_case_rows, "case_records", lambda *_: (case,))
        return spans_left_out(world.here, "pumps", days(1)[0], AS_OF), window_of(world)

    spans, accepted = shifts_of(record)
    assert (spans, len(fitting.open_case_rows_of(accepted))) == ((), 0)
    _, resumed = shifts_of(replace(record, **since))

    assert len(fitting.open_case_rows_of(resumed)) == 3 * 24
    (asked,) = fitting.open_shift_spans_of(resumed)
    assert asked == span(2, 0, kind="shift")


def test_rows_of_a_shift_train_with_the_cells_of_the_channel_filled_in(
    world, champion, monkeypatch
):
    opened(monkeypatch, span(4, 1, kind="shift"))

    candidate = window_of(world)

    _, inputs = origin_of(candidate, TrainingInputs)
    measured = fitting.open_case_rows_of(candidate).set_index("timestamp")
    rows = pd.concat(
        [fitting.block_of(candidate, r).frame for r in ("train", "calibration", "test")]
    )
    shown = rows[inside(rows, 4, 1)].set_index("timestamp").sort_index()
    assert len(shown) == len(measured) == 96
    assert (shown["pressure"] != measured["pressure"]).all()
    assert shown["flow"].equals(measured["flow"])
    assert "eval_open_case" not in inputs.window.excluded
    replaced = inputs.window.replaced
    assert (replaced.cells, replaced.rows, replaced.channels) == (192, 96, ("pressure",))
    assert (replaced.version, replaced.bundle_sha256) == (1, champion.bundle.digest)
    assert window_of(world) == candidate  # the same bytes again
    (shift,) = fitting.open_shift_spans_of(candidate)
    assert shift == span(4, 1, kind="shift")


def test_episodes_and_shifts_are_left_out_and_what_is_of_the_whole_plant_trains(world, monkeypatch):
    spans = tuple(span(9, 1, kind=kind) for kind in ("episode", "shift", "regime", "degradation"))
    monkeypatch.setattr(open_case_rows, "case_records", lambda *_: ("some",))
    monkeypatch.setattr(open_case_rows, "unaccepted_spans", lambda *_: spans)

    left = spans_left_out(world.here, "pumps", days(1)[0], AS_OF)

    assert [each.kind for each in left] == ["episode", "shift"]


def test_only_a_shift_that_nobody_has_answered_must_stay_outside_the_training_range(
    world, monkeypatch
):
    fault = replace(span(4, 1, kind="shift"), answer="was a fault")
    opened(monkeypatch, fault, span(2, 1, kind="shift", channel="flow", case="c2"), span(9, 8))

    candidate = window_of(world)

    assert [each.case for each in fitting.open_shift_spans_of(candidate)] == ["c2"]
    assert len(fitting.open_case_rows_of(candidate)) == 96 + 48


def test_filled_values_lie_within_the_training_range_of_the_live_version(spec, champion):
    frame, how = frame_of(), CellReplacement(champion)

    found = without(frame, spec, span(3, 0, kind="shift"), how=how)

    struck = inside(frame, 3, 0)
    features, ranges = champion.bundle.schema.features, champion.bundle.ranges()
    for name in OF_PRESSURE:
        values, at = found.frame.loc[struck, name], features.index(name)
        assert frame.loc[struck, name].min() > ranges.highest[at]
        assert values.between(ranges.lowest[at], ranges.highest[at]).all()
    left_alone = frame.columns.difference(OF_PRESSURE)
    pd.testing.assert_frame_equal(found.frame[left_alone], frame[left_alone])
    pd.testing.assert_frame_equal(found.frame[~struck], frame[~struck])
    assert normal_rows(found.frame, spec.columns).all()
    pd.testing.assert_frame_equal(found.originals, frame[struck].reset_index(drop=True))


def test_where_values_may_be_missing_the_cells_are_missing():
    spec, frame = (
        make_spec(validation={"missing_cells": 0.5}, model={"family": "masked"}),
        frame_of(),
    )
    struck = inside(frame, 3, 0)
    frame.loc[frame.index[struck][:5], "pressure"] = np.nan  # the source did not deliver these

    found = without(frame, spec, span(3, 0, kind="shift"), how=CellReplacement())

    assert found.frame.loc[struck, OF_PRESSURE].isna().all(axis=None)
    assert found.frame[~struck].equals(frame[~struck])
    assert found.frame.loc[struck, "flow"].equals(frame.loc[struck, "flow"])
    assert (found.cells.cells, found.cells.rows, found.cells.version) == (187, 96, None)


def test_a_row_in_an_episode_and_a_shift_is_left_out_whole(spec, champion):
    frame, spans = frame_of(), (span(1, 0), span(3, 0, kind="shift", case="c2"))

    found = without(frame, spec, *spans, how=CellReplacement(champion))

    both = inside(frame, 1, 0)
    np.testing.assert_array_equal(of_open_case(found.frame), both)
    assert found.frame[both].drop(columns="eval_open_case").equals(frame[both])
    assert (found.cells.rows, found.cases) == (48, ("c1", "c2"))
    assert len(found.originals) == 96


def test_an_incident_during_a_shift_keeps_its_values_to_test_the_candidate(spec, champion):
    frame = frame_of()
    frame.loc[inside(frame, 0, 0), "eval_incident"] = True

    found = without(frame, spec, span(3, 0, kind="shift"), how=CellReplacement(champion))

    known = inside(frame, 0, 0)
    assert found.frame.loc[known, OF_PRESSURE].equals(frame.loc[known, OF_PRESSURE])
    assert (int(of_open_case(found.frame).sum()), found.cells.rows) == (24, 72)


def test_a_machine_that_has_hardly_been_without_the_shift_is_left_out_whole(spec, champion):
    frame = frame_of(8)  # four days before the shift: 96 rows

    found = without(frame, spec, span(3, 0, kind="shift"), how=CellReplacement(champion))

    np.testing.assert_array_equal(of_open_case(found.frame), inside(frame, 3, 0))
    assert found.cells is None


def test_a_row_without_another_judged_value_is_left_out_whole():
    spec, frame = (
        make_spec(validation={"missing_cells": 0.9}, model={"family": "masked"}),
        frame_of(),
    )
    blind = frame.index[inside(frame, 3, 0)][:7]
    others = [name for name in spec.columns.feature_columns if name not in OF_PRESSURE]
    frame.loc[blind, others] = np.nan

    found = without(frame, spec, span(3, 0, kind="shift"), how=CellReplacement())

    assert list(found.frame.index[of_open_case(found.frame)]) == list(blind)
    assert found.cells.rows == 96 - 7


def test_without_a_replacement_whole_rows_of_the_machine_are_left_out(spec):
    frame = frame_of()

    found = without(frame, spec, span(3, 0, kind="shift"), how=None)

    np.testing.assert_array_equal(of_open_case(found.frame), inside(frame, 3, 0))
    assert found.cells is None


@pytest.mark.parametrize(
    ("sections", "fills"),
    [
        ({}, True),
        ({"threshold": {"method": "pot"}}, True),
        ({"window": {"length": 3}}, False),
        ({"schema": {"derived": []}}, False),  # fewer features than the live version's
        ({"schema": {"features": dict(sorted(FEATURES.items()))}}, True),  # another order
        ({"schema": {"features": {**FEATURES, **IN_HOURS}}}, False),
    ],
)
def test_only_rows_that_the_live_network_reads_are_filled_in(
    world, spec, champion, sections, fills
):
    content = spec.model_dump(mode="json", by_alias=True)
    amended = {name: {**content[name], **change} for name, change in sections.items()}

    found = replacement_for(world.here, DetectorSpec.model_validate({**content, **amended}))

    assert found == (CellReplacement(champion) if fills else None)


def test_a_live_version_with_its_features_in_another_order_fills_in_the_same_values(spec, champion):
    turned = dict(sorted(spec.columns.features.items()))
    columns = spec.columns.model_copy(update={"features": turned})
    other = spec.model_copy(update={"columns": columns})
    frame, how, shift = frame_of(), CellReplacement(champion), span(3, 0, kind="shift")

    found = without(frame, other, shift, how=how)

    assert columns.feature_columns != spec.columns.feature_columns
    pd.testing.assert_frame_equal(found.frame, without(frame, spec, shift, how=how).frame)


def test_a_masked_network_needs_no_live_version(world):
    spec = make_spec(
        name="other", validation={"missing_cells": 0.5}, model={"family": "masked"},
        window={"length": 3},
    )  # fmt: skip

    assert replacement_for(world.here, spec) == CellReplacement()
    assert replacement_for(world.here, make_spec(name="other")) is None


def test_a_live_version_without_a_reconstruction_fills_nothing(world, spec, champion, monkeypatch):
    monkeypatch.setattr(live, "readable_champion", lambda *_: _with(champion, reconstructs=False))

    assert replacement_for(world.here, spec) is None


def test_a_live_version_of_windows_fills_nothing(world, spec, champion, monkeypatch):
    of_windows = replace(champion.bundle.schema, window=3)
    monkeypatch.setattr(live, "readable_champion", lambda *_: _with(champion, schema=of_windows))
    longer = spec.model_copy(update={"window": Window(length=3)})

    assert replacement_for(world.here, longer) is None
    assert replacement_for(world.here, spec) is None


def test_a_live_version_that_cannot_be_read_fills_nothing(world, spec, monkeypatch):
    monkeypatch.setattr(live, "readable", lambda *_: None)

    assert replacement_for(world.here, spec) is None


def _with(champion, **changes):
    facts = replace(champion.bundle.description.network, **changes)
    description = replace(champion.bundle.description, network=facts)
    return replace(champion, bundle=replace(champion.bundle, description=description))


def test_days_after_the_live_training_that_nobody_scored_are_on_record(world, monkeypatch):
    _, inputs = origin_of(window_of(world), TrainingInputs)
    monkeypatch.setattr(unscored_days, "scored_days", lambda *_: days(HISTORY))
    _, all_scored = origin_of(window_of(world), TrainingInputs)

    assert inputs.window.unscored == UnscoredDays(30, AS_OF - timedelta(days=30), LAST)
    assert all_scored.window.unscored is None


def test_without_a_live_version_no_day_could_have_been_scored(world, monkeypatch):
    monkeypatch.setattr(live, "registered", lambda *_: None)

    _, inputs = origin_of(window_of(world), TrainingInputs)

    assert inputs.window.unscored is None


def test_without_a_case_nothing_is_left_out(world):
    candidate = window_of(world)

    assert fitting.open_case_rows_of(candidate).empty
    assert fitting.open_shift_spans_of(candidate) == ()
    assert spans_left_out(world.here, "pumps", days(1)[0], AS_OF) == ()


def test_where_too_few_days_are_left_it_asks(world, monkeypatch):
    opened(monkeypatch, *(span(40, 0, entity=name) for name in ("a", "b", "c")))

    with pytest.raises(
        TooFewDays, match=r"called normal \(c1\).*pipeline cases pumps --all"
    ) as told:
        window_of(world)

    assert "tomorrow as --as-of" in str(told.value)


def test_days_whose_rows_stay_are_not_too_few(world, monkeypatch):
    # Five of thirty days are not in the shift: 120 rows of each machine, and fewer than six days.
    opened(monkeypatch, *(span(24, 0, entity=name, kind="shift") for name in ("a", "b", "c")))

    _, inputs = origin_of(window_of(world), TrainingInputs)

    assert inputs.window.normal_rows == inputs.window.rows


def test_marked_rows_are_not_normal_and_the_others_stay(spec):
    frame = make_telemetry(41, first_day=LAST - timedelta(days=40))

    found = without(frame, spec, span(2, 2), how=None).frame

    assert int(of_open_case(found).sum()) == 24
    assert int(normal_rows(found, spec.columns).sum()) == len(frame) - 24
    assert split(found, spec).train.frame["timestamp"].max() > frame["timestamp"].min()

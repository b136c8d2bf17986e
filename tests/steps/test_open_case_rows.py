"""What open cases are about does not train, and the gate asks whether it is still flagged."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from pipeline.cases import CaseSpan
from pipeline.data.split import normal_rows, of_open_case, split
from pipeline.errors import TooFewDays
from pipeline.records import from_json
from pipeline.steps import fitting, open_case_rows
from pipeline.steps.candidate import Candidate
from pipeline.steps.open_case_rows import marked, spans_left_out
from pipeline.steps.origin import TrainingInputs, origin_of
from tests.builders import days, moment
from tests.steps.plant_world import HISTORY, make_world

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

LAST = days(HISTORY)[-1]
AS_OF = LAST + timedelta(days=1)


@pytest.fixture
def world(tmp_path, monkeypatch):
    return make_world(tmp_path, monkeypatch)


def span(first: int, last: int, *, kind="episode", entity="a") -> CaseSpan:
    """Whole days of a machine, counted back from the last day of the window."""
    start, end = (LAST - timedelta(days=back) for back in (first, last))
    return CaseSpan("c1", kind, entity, None, moment(start), moment(end, 23), None, None)


def opened(monkeypatch, *spans: CaseSpan) -> None:
    monkeypatch.setattr(open_case_rows, "spans_left_out", lambda *_: spans)


def test_rows_of_an_open_case_do_not_train_and_test_the_candidate(world, monkeypatch):
    opened(monkeypatch, span(4, 1))

    candidate = from_json(Candidate, fitting.window(world.here, "pumps", AS_OF.isoformat()))

    _, inputs = origin_of(candidate, TrainingInputs)
    left = fitting.open_case_rows_of(candidate)
    assert set(left["pump"]) == {"a"}
    assert left["timestamp"].dt.date.nunique() == 4
    for role in ("train", "calibration"):
        frame = fitting.block_of(candidate, role).frame
        assert not of_open_case(frame).any()
        inside = (frame["pump"] == "a") & frame["timestamp"].between(
            moment(LAST - timedelta(days=4)), moment(LAST - timedelta(days=1), 23)
        )
        assert not inside.any()
    assert inputs.window.excluded["eval_open_case"] == len(left)
    assert inputs.window.rows > inputs.window.normal_rows


def test_without_a_case_nothing_is_marked(world):
    candidate = from_json(Candidate, fitting.window(world.here, "pumps", AS_OF.isoformat()))

    assert fitting.open_case_rows_of(candidate).empty
    assert spans_left_out(world.here, "pumps", days(1)[0], AS_OF) == ()


def test_where_too_few_days_are_left_it_asks(world, monkeypatch):
    opened(monkeypatch, *(span(40, 0, entity=name) for name in ("a", "b", "c")))

    with pytest.raises(TooFewDays, match=r"open cases \(c1\).*python -m pipeline cases pumps"):
        fitting.window(world.here, "pumps", AS_OF.isoformat())


def test_marked_rows_are_not_normal_and_isolated_flags_stay(world):
    time = pd.date_range(moment(LAST - timedelta(days=40)), moment(LAST, 23), freq="h")
    frame = pd.DataFrame({"timestamp": time, "pump": "a"})

    found = marked(frame, world.spec, (span(2, 2),))

    assert int(of_open_case(found).sum()) == 24
    assert int(normal_rows(found, world.spec.columns).sum()) == len(frame) - 24
    assert marked(frame, world.spec, ()) is frame
    assert split(found, world.spec).train.frame["timestamp"].max() > time[0]

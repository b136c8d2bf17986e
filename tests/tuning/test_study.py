import itertools

import pytest

from pipeline.errors import ConfigError, DataError
from pipeline.tuning.study import Search, noise_of, open_study, present, search, trial_rows
from pipeline.tuning.trying import Tried

MEANING = {"family": "linear", "rows": "abc"}


class Clock:
    """A clock that only trials advance."""

    def __init__(self):
        self.now = 0.0


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("pipeline.tuning.study.monotonic", lambda: made.now)
    return made


def width(trial):
    return {"model.width": trial.suggest_int("model.width", 1, 1000, log=True)}


def searching(clock, attempt=None, suggest=width, limit=0.8):
    """Tries of a second each; the best width is 100."""

    def tried(settings, further):
        clock.now += 1
        found = settings.get("model.width", 10)
        return Tried(1 - abs(found - 100) / 1000 + 0.001 * further, found / 1000, 1.0)

    return Search(suggest, attempt or tried, limit, seed=3, meaning=MEANING)


def go(path, how, seconds, said=None):
    study = open_study(path, how.meaning)
    search(study, how, seconds=seconds, report=(said if said is not None else []).append)
    return study


def settings(study):
    return [(row.number, row.settings) for row in sorted(trial_rows(study), key=lambda x: x.number)]


def test_the_present_settings_are_tried_first_with_three_seeds(tmp_path, clock):
    study = go(tmp_path / "study", searching(clock), 3)

    assert present(study) == pytest.approx((0.91, 0.911, 0.912))
    assert trial_rows(study) == ()


def test_the_budget_is_kept_within_one_try(tmp_path, clock):
    study = go(tmp_path / "study", searching(clock), 9.5)

    assert clock.now == 10
    assert len(trial_rows(study)) == 7


def test_a_study_goes_on_and_proposes_what_it_would_have_proposed_at_once(tmp_path, clock):
    whole = go(tmp_path / "whole", searching(clock), 23)
    for _ in range(2):
        parts = go(tmp_path / "parts", searching(clock), 11.5)

    assert settings(parts)[:20] == settings(whole)
    assert len(present(parts)) == 3


def test_no_settings_are_tried_twice(tmp_path, clock):
    def few(trial):
        return {"model.width": trial.suggest_int("model.width", 1, 4, log=True)}

    said = []
    study = go(tmp_path / "study", searching(clock, suggest=few), 500, said)

    tried = [row.settings["model.width"] for row in trial_rows(study)]
    assert sorted(tried) == [1, 2, 3, 4]
    assert "tried before" in said[-1]


def test_what_the_gate_would_refuse_is_never_the_best(tmp_path, clock):
    study = go(tmp_path / "study", searching(clock, limit=0.05), 30)

    table = trial_rows(study)
    allowed = [row.allowed for row in table]
    assert table[0].noise_passthrough <= 0.05
    assert allowed == sorted(allowed, reverse=True)
    assert any(row.caught > table[0].caught for row in table if not row.allowed)


def test_it_finds_better_settings_than_by_chance(tmp_path, clock):
    study = go(tmp_path / "study", searching(clock), 60)

    assert abs(trial_rows(study)[0].settings["model.width"] - 100) < 20


def test_ctrl_c_keeps_what_was_finished_and_the_study_goes_on(tmp_path, clock):
    how, calls = searching(clock), itertools.count()

    def impatient(changes, further):
        if next(calls) == 6:
            raise KeyboardInterrupt
        return how.attempt(changes, further)

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "study", searching(clock, attempt=impatient), 100)
    study = go(tmp_path / "study", how, 2.5)

    assert len(present(study)) == 3
    assert len(trial_rows(study)) == 3 + 3


def test_settings_that_cannot_be_fitted_are_reported_and_skipped(tmp_path, clock):
    how, said = searching(clock), []

    def failing(changes, further):
        if changes:
            clock.now += 1
            raise DataError("too few rows")
        return how.attempt(changes, further)

    study = go(tmp_path / "study", searching(clock, attempt=failing), 5, said)

    assert [row.reason for row in trial_rows(study)] == ["too few rows"] * 2
    assert "failed" in said[-1]


@pytest.mark.parametrize("content", ["years of work\n", '{"a": 1}\n'])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "thesis.txt"
    path.write_text(content)

    with pytest.raises(ConfigError, match="is no study"):
        open_study(path, MEANING)

    assert path.read_text() == content


def test_the_study_of_other_rows_is_refused(tmp_path):
    open_study(tmp_path / "study", MEANING)

    with pytest.raises(ConfigError, match=r"another rows \(abc, now xyz\).*new file"):
        open_study(tmp_path / "study", {**MEANING, "rows": "xyz"})


def test_the_noise_is_that_of_a_difference_between_seeds():
    assert noise_of((0.5, 0.6)) is None
    assert noise_of((0.5, 0.5, 0.5)) == 0
    assert noise_of((0.4, 0.5, 0.6)) == pytest.approx(2 * 0.1 * (4 / 3) ** 0.5)

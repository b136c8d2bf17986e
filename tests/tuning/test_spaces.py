from typing import get_args

import pytest

from pipeline.config.model import Model
from pipeline.config.score import Score
from pipeline.detector.models.families import MODELS
from pipeline.tuning.spaces import FAMILIES, SCORES, Choice, suggest

SECTIONS = {each.model_fields["family"].default: each for each in get_args(get_args(Model)[0])}
KINDS = {each.model_fields["kind"].default: each for each in get_args(get_args(Score)[0])}


class Edge:
    """Proposes one end of every range."""

    def __init__(self, place):
        self.place = place

    def suggest_float(self, _name, low, high, *, log):
        assert not log or low > 0
        return (low, high)[self.place]

    suggest_int = suggest_float

    def suggest_categorical(self, _name, choices):
        return choices[-self.place]


def test_every_family_and_every_score_has_a_space():
    assert FAMILIES.keys() == MODELS.keys()
    assert SCORES.keys() == KINDS.keys()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_both_ends_of_every_range_are_valid_settings(family, place):
    section, score = SECTIONS[family], KINDS["reconstruction"]

    suggested = suggest(Edge(place), section(), score())

    of = {
        name.removeprefix("model."): v for name, v in suggested.items() if name.startswith("model.")
    }
    assert section(**of)
    assert of.keys() == FAMILIES[family].keys()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("kind", SCORES)
def test_both_ends_of_every_range_of_a_score_are_valid_settings(kind, place):
    suggested = suggest(Edge(place), SECTIONS["denoising"](), KINDS[kind]())

    of = {
        name.removeprefix("score."): v for name, v in suggested.items() if name.startswith("score.")
    }
    assert of.keys() == SCORES[kind].keys()
    settings = KINDS[kind](**of).model_dump()
    assert {name: settings[name] for name in of} == of


def test_a_residual_covariance_is_proposed_for_squared_errors_only():
    asked = []

    class Asks(Edge):
        def suggest_categorical(self, _name, choices):
            asked.append(choices)
            return choices[0]

    for loss in ("mse", "huber"):
        suggest(Asks(0), SECTIONS["dense"](loss=loss), KINDS["reconstruction"]())

    assert "mahalanobis" in asked[0]
    assert "mahalanobis" not in asked[1]


def test_a_family_with_a_score_of_its_own_gets_no_score_settings():
    suggested = suggest(Edge(0), SECTIONS["isolation_forest"](), KINDS["reconstruction"]())

    assert all(name.startswith("model.") for name in suggested)
    assert isinstance(SCORES["reconstruction"]["error"], Choice)

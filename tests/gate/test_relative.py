from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.gate import decide
from tests.gate.candidates import CHAMPION, LIMITS, TRAINED, failed


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"rank_agreement": 0.05}, "rank_agreement"),
        ({"rank_agreement": -0.9}, "rank_agreement"),
        ({"median_error": 0.02}, "reconstruction_vs_champion"),
    ],
)
def test_one_fault_fails_one_check_and_the_whole_gate(change: dict[str, object], check: str):
    assert failed(decide(replace(TRAINED, **change), CHAMPION, LIMITS)) == [check]


def test_errors_of_another_family_or_loss_are_no_measure_for_the_candidate():
    wide = replace(CHAMPION, median_error=1e-9, explained_variance=1.0, same_kind=False)
    forest = replace(CHAMPION, median_error=None, explained_variance=None)
    worse = replace(TRAINED, explained_variance=0.6)

    assert decide(worse, wide, LIMITS).passed
    assert decide(worse, forest, LIMITS).passed
    assert failed(decide(worse, replace(wide, same_kind=True), LIMITS)) == [
        "explained_variance",
        "reconstruction_vs_champion",
    ]


def test_a_champion_whose_score_never_changes_does_not_forbid_its_successor():
    assert decide(replace(TRAINED, rank_agreement=None), CHAMPION, LIMITS).passed

"""Candidate and champion on the same rows, also where they differ in more than their weights."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from pipeline.detector.bundle.bundle import Bundle
from pipeline.steps.comparing import compare
from tests.builders import make_telemetry
from tests.steps.pump_house import open_house

FRAME = make_telemetry(4, seed=7)
NO_CONFIRMED = pd.DataFrame()


@pytest.fixture
def bundles(here) -> dict[int, Bundle]:
    """The pump farm's detector for single rows, and for windows of three."""
    return {
        length: open_house(here, window={"length": length}).promote(length).bundle
        for length in (1, 3)
    }


def test_windows_of_another_length_are_compared_on_the_rows_that_both_score(here, bundles):
    spec = open_house(here, window={"length": 3}).spec

    found = compare(1, bundles[1], bundles[3], FRAME, NO_CONFIRMED, spec)

    assert found is not None
    assert found.facts.same_kind
    assert 0.2 < found.replayed.rank_agreement < 1


def test_a_champion_compared_with_itself_agrees_in_everything(here, bundles):
    found = compare(1, bundles[1], bundles[1], FRAME, NO_CONFIRMED, open_house(here).spec)

    assert found.replayed.rank_agreement == pytest.approx(1.0)
    assert (found.replayed.gained, found.replayed.lost) == (0, 0)


def test_the_grades_of_its_injected_faults_are_kept_for_the_card(here, bundles):
    found = compare(1, bundles[1], bundles[1], FRAME, NO_CONFIRMED, open_house(here).spec)

    assert found.grades["spike"][12.0] >= found.grades["spike"][1.0]


@pytest.mark.parametrize("change", [{"loss": "huber"}, {"settings": {"family": "linear"}}])
def test_a_champion_of_another_family_or_loss_is_of_another_kind(here, bundles, change):
    live = bundles[1]
    settings = {**live.description.network.settings, **change.pop("settings", {})}
    network = replace(live.description.network, settings=settings, **change)
    other = replace(live, description=replace(live.description, network=network))

    found = compare(1, other, live, FRAME, NO_CONFIRMED, open_house(here).spec)

    assert not found.facts.same_kind

"""The gate of a recalibrated candidate: against the version it is of, and what a stop tells."""

from __future__ import annotations

import pytest

from pipeline import settings
from pipeline.errors import PromotionConflict
from pipeline.steps import (
    gating,
    promotion,
    recalibrating,
)
from tests import ledger_entries
from tests.steps.recalibrated_farm import (
    ADA,
    RUN,
    bundle_of,
    judge,
    recalibrate,
    tightened,
    went_live,
    window,
)

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_recalibration_whose_network_is_not_live_any_more_is_not_judged(farm, first):
    candidate = recalibrating.recalibrate(settings.load(), window(acceptance=ADA), run=RUN)
    ledger_entries.write(farm.here, went_live(first["version"], replaced=1))

    with pytest.raises(PromotionConflict, match=r"while version 1 was live, but version 2 is live"):
        gating.gate(settings.load(), candidate, run=RUN)


def test_a_threshold_beyond_its_bounds_is_rejected_with_the_fix_and_nothing_moves(farm):
    tightened(farm, maximum_total=0.001)

    judged = judge()
    outcome = promotion.promote(settings.load(), judged, answer=None, run=RUN)

    found = farm.client.get_model_version("pumps", str(judged["version"]))
    last = ledger_entries.entries(farm.here, "pumps")[-1].decision
    assert not outcome["promoted"]
    assert farm.aliases()["champion"] == 1
    assert "total_bound" in found.tags["reason"]
    assert "accept_beyond_bounds and a reason" in found.tags["reason"]
    assert (last.action, last.version) == ("rejection", judged["version"])


def test_a_person_may_accept_the_move_and_is_named(farm):
    tightened(farm, maximum_total=0.001)

    number = recalibrate(acceptance=ADA)["version"]

    decision = ledger_entries.entries(farm.here, "pumps")[-1].decision
    recalibrated = bundle_of(number)
    assert (decision.action, decision.version) == ("promotion", number)
    assert "accepted by ada: The gearbox is new." in decision.why
    assert recalibrated.description.lineage.anchor_threshold == recalibrated.threshold
    accepted, window = recalibrated.accepted_reference(), recalibrated.reference()
    assert accepted.score.tolist() == window.score.tolist()

"""A change of champion is one append; aliases, tags and heads follow it."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest

from pipeline import settings
from pipeline.cli import main
from pipeline.errors import (
    NothingLive,
)
from pipeline.registry import connection, promotion
from pipeline.steps import champion, ledger_state, ledger_statements, live
from pipeline.steps.health import health_of
from tests.steps.attacked_plant import (
    NOW,
    score,
)
from tests.steps.plant_world import AS_OF, promote_trained

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_repair_lets_the_alias_follow(plant, monkeypatch, capsys):
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    plant.client.set_registered_model_alias("pumps", promotion.CHAMPION, "1")

    assert main(["ledger", "pumps", "--verify"]) == 1
    assert main(["ledger", "pumps", "--repair"]) == 0

    assert plant.aliases() == {"champion": 2, "previous": 1}
    assert "the ledger holds, 2 entries; version 2 is live" in capsys.readouterr().out


def test_a_withdrawn_version_is_not_live_and_the_next_is_compared_with_nothing(plant):
    ledger_statements.withdraw(settings.load(), "pumps", who="ada", why="its bundle is lost")

    with pytest.raises(NothingLive):
        live.champion(settings.load(), "pumps")
    assert plant.aliases() == {}
    promote_trained(plant.here, AS_OF + timedelta(days=2))
    assert live.champion(settings.load(), "pumps").version.number == 3
    assert ledger_state.verified(plant.here, "pumps").changes[-1].replaced is None


def test_a_head_that_was_missed_is_kept_by_the_next_run(plant):
    plant.client.delete_model_version_tag("pumps", "2", "ledger.head")
    decision = ledger_state.verified(plant.here, "pumps").last.decision

    champion.change_champion(plant.here, decision)  # a retry of the task, which appends nothing

    assert "ledger.head" in plant.client.get_model_version("pumps", "2").tags


def test_a_junk_head_on_a_version_blocks_nothing_and_is_reported(plant):
    plant.client.set_model_version_tag("pumps", "1", "ledger.head", "junk")

    assert score()["version"] == 2
    assert (
        "on version 1 in MLflow is signed by no key"
        in health_of(settings.load(), "pumps", now=NOW).faults[0].what
    )
    champion.repaired(settings.load(), "pumps")
    assert health_of(settings.load(), "pumps", now=NOW).faults == ()

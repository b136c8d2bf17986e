"""Which version a rollback may go to, on a farm where version 2 is live after version 1."""

from __future__ import annotations

import pytest

from pipeline.errors import DataError
from pipeline.ledger import card_hash
from pipeline.registry import tags, versions
from pipeline.steps import ledger_state, rollback
from pipeline.steps.rollback_target import ledger_record, unfinished, wanted_version

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def wanted(plant, target: str) -> int:
    held = ledger_state.verified(plant.here, "pumps")
    return wanted_version(plant.here, plant.client, plant.spec, held, target).version.number


def test_the_previous_version_and_its_number_are_the_same_target(plant):
    assert wanted(plant, "previous") == wanted(plant, "1") == 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("2", "Version 2 of pumps is live already"),
        ("9", r"pumps has no version 9; there are [12], [12]\."),
        ("the one before", "is not a version; give a version number, or 'previous'"),
    ],
)
def test_what_cannot_be_a_target_is_refused_with_what_can(plant, target: str, message: str):
    with pytest.raises(DataError, match=message):
        wanted(plant, target)


def test_a_tag_alone_does_not_prove_a_gate(plant):
    """Whoever can write to MLflow registers the bundle of version 1 once more, as passed."""
    first = plant.client.get_model_version("pumps", "1")
    copied = plant.client.create_model_version("pumps", first.source, run_id=first.run_id)
    for key, value in {**first.tags, "gate": "passed", "candidate": "made up"}.items():
        plant.client.set_model_version_tag("pumps", copied.version, key, value)

    with pytest.raises(DataError, match=r"never live .*the verdict of its gate is gone"):
        wanted(plant, str(copied.version))


def test_a_rollback_is_unfinished_until_its_days_are_scored_again(plant):
    how = {"target": "previous", "reason": "It flags half of all rows.", "who": "ada"}
    checked = rollback.validate_target(plant.here, "pumps", **how)
    assert unfinished(plant.here, plant.client, "pumps") == ()

    rollback.set_champion(plant.here, checked, **how)
    assert unfinished(plant.here, plant.client, "pumps") == (2,)

    tags.mark_rescored(plant.client, "pumps", 2)
    assert unfinished(plant.here, plant.client, "pumps") == ()


def test_a_tag_does_not_make_a_rollback_that_the_ledger_does_not_know(plant):
    tags.mark_rolled_back(plant.client, "pumps", 1, reason="by hand")

    assert unfinished(plant.here, plant.client, "pumps") == ()


def test_the_card_is_that_of_the_ledger_and_not_the_one_that_was_edited_in_mlflow(plant):
    held = ledger_state.verified(plant.here, "pumps")
    plant.client.update_model_version("pumps", "1", "Another card")
    edited = versions.by_number(plant.client, "pumps", 1)

    assert ledger_record(held, edited) == (edited.run_id, card_hash("Passed"))

"""Aliases and tags that follow the ledger. Always under the promotion lock.

`champion` is the live bundle, `challenger` a candidate that passed its gate and waits, `previous`
the version for a rollback. The ledger decides what is live; aliases and tags follow it (`follow`),
and can do so again after a crash.
"""

from __future__ import annotations

from mlflow import MlflowClient

from pipeline.errors import PromotionConflict
from pipeline.ledger import Decision
from pipeline.registry import tags, versions

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"


def number_of(client: MlflowClient, model: str, alias: str) -> int | None:
    """The version that `alias` points to, or None."""
    found = versions.by_alias(client, model, alias)
    return found.number if found else None


def refuse_other_champion(current: int | None, expected: int | None, to: int, model: str) -> None:
    """Refuse a decision that was made while another version was live.

    Raises:
        PromotionConflict: the champion is not the one that the decision was made against.
    """
    if current != expected:
        msg = (
            f"Version {to} of {model} was judged against champion {_named(expected)}, but the "
            f"champion is now {_named(current)}. Nothing was moved; train or recalibrate "
            "again, so that it is compared with what is live."
        )
        raise PromotionConflict(msg)


def follow(client: MlflowClient, decision: Decision, *, previous: int | None) -> None:
    """Update tags and aliases after `decision`, whose version is live.

    Called again it changes nothing. `previous` is the version for a rollback from now on, or None.
    The alias `champion` moves last: once it is right, all is.
    """
    model, number = decision.detector, decision.version
    if decision.action == "rollback" and decision.replaced is not None:
        left = versions.by_number(client, model, decision.replaced)
        if left is not None and tags.status_of(left) != "rolled_back":
            tags.mark_rolled_back(client, model, left.number, reason=decision.why)
    point_previous(client, model, previous)
    tags.mark_champion(client, model, number)
    clear_challenger(client, model, number)
    if number_of(client, model, CHAMPION) != number:
        client.set_registered_model_alias(model, CHAMPION, str(number))


def point_at_nothing(client: MlflowClient, model: str) -> None:
    """Delete the aliases `champion` and `previous`."""
    for alias in (CHAMPION, PREVIOUS):
        if number_of(client, model, alias) is not None:
            client.delete_registered_model_alias(model, alias)


def point_previous(client: MlflowClient, model: str, number: int | None) -> None:
    """Point `previous` to `number`, or delete it."""
    current = versions.by_alias(client, model, PREVIOUS)
    if (current.number if current else None) == number:
        return
    if current is not None and tags.status_of(current) == "previous":
        tags.set_status(client, model, current.number, "retired")
    if number is None:
        client.delete_registered_model_alias(model, PREVIOUS)
    else:
        tags.set_status(client, model, number, "previous")
        client.set_registered_model_alias(model, PREVIOUS, str(number))


def set_challenger(client: MlflowClient, model: str, version: int) -> None:
    """Mark `version` as the candidate that passed its gate and waits."""
    client.set_registered_model_alias(model, CHALLENGER, str(version))
    tags.set_status(client, model, version, "challenger")


def reject(client: MlflowClient, model: str, version: int, *, reason: str) -> None:
    """Tag `version` as rejected; it stays in the registry and nothing live changes."""
    tags.set_status(client, model, version, "rejected")
    client.set_model_version_tag(model, str(version), "reason", reason)
    clear_challenger(client, model, version)


def clear_challenger(client: MlflowClient, model: str, version: int) -> None:
    """Delete the alias `challenger` if it points to `version`."""
    if number_of(client, model, CHALLENGER) == version:
        client.delete_registered_model_alias(model, CHALLENGER)


def _named(version: int | None) -> str:
    return "none" if version is None else f"version {version}"

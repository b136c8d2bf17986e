"""Moving the aliases, and nothing else that is live. Always under the promotion lock.

`champion` is the live bundle, `challenger` a candidate that passed its gate and waits, `previous`
the way back. What is live changes in one call, `make_champion`; everything else that says so
(ledger, tags, `previous`) follows from it, and can be done again after a crash. For that the
decision is announced on the version before the call and forgotten when all has followed.
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
    """Let a decision pass that was made while the version now live was live.

    Raises:
        PromotionConflict: the champion is another than the one that was decided about.
    """
    if current != expected:
        msg = (
            f"Version {to} of {model} was judged against champion {_named(expected)}, but the "
            f"champion is now {_named(current)}. Nothing was moved; run the DAG again, so that it "
            "compares with what is live."
        )
        raise PromotionConflict(msg)


def make_champion(client: MlflowClient, decision: Decision) -> None:
    """Announce `decision` and make its version the live one.

    Raises:
        PromotionConflict: somebody moved the alias by hand at the same moment.
    """
    model, to = decision.detector, decision.version
    tags.announce(client, decision)
    client.set_registered_model_alias(model, CHAMPION, str(to))
    moved = number_of(client, model, CHAMPION)
    if moved != to:
        # A person with the EDIT right can move an alias in the UI, past any lock of ours.
        msg = (
            f"The champion of {model} was set to version {to} but reads {_named(moved)}: somebody "
            "moved it by hand meanwhile. Look at the versions, then run the DAG again."
        )
        raise PromotionConflict(msg)


def follow(client: MlflowClient, decision: Decision, *, previous: int | None) -> None:
    """Let tags and aliases say what `decision`, whose version is live, has changed.

    Called again it changes nothing. `previous` is the way back from now on, None: there is none.
    """
    model, number = decision.detector, decision.version
    if decision.action == "rollback" and decision.replaced is not None:
        tags.mark_rolled_back(client, model, decision.replaced, reason=decision.why)
    point_previous(client, model, previous)
    tags.mark_champion(client, model, number)
    clear_challenger(client, model, number)
    tags.forget_announcement(client, model, number)


def point_previous(client: MlflowClient, model: str, number: int | None) -> None:
    """Let `previous` point to `number`, or to nothing."""
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
    """Take the alias `challenger` away from `version`, if it has it."""
    if number_of(client, model, CHALLENGER) == version:
        client.delete_registered_model_alias(model, CHALLENGER)


def _named(version: int | None) -> str:
    return "none" if version is None else f"version {version}"

"""Moving the aliases, and nothing else that is live. Always under the promotion lock.

`champion` is the live bundle, `challenger` a candidate that passed its gate and waits, `previous`
the way back. `previous` is set before `champion`, so a reader never finds a live version without
a way back.
"""

from __future__ import annotations

from mlflow import MlflowClient

from pipeline.errors import PromotionConflict
from pipeline.registry import versions

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"


def move_champion(client: MlflowClient, model: str, *, to: int, expected: int | None) -> int | None:
    """Make version `to` the champion if `expected` still is; the version that was replaced.

    The caller holds the promotion lock. Called again after success it changes nothing.

    Raises:
        PromotionConflict: the champion is another than the one the gate compared with.
    """
    current = versions.by_alias(client, model, CHAMPION)
    number = current.number if current else None
    if number == to:
        before = versions.by_alias(client, model, PREVIOUS)
        return before.number if before else None
    if number != expected:
        msg = (
            f"Version {to} of {model} was judged against champion {_named(expected)}, but the "
            f"champion is now {_named(number)}. Nothing was moved; run the train DAG again, so "
            "that the gate compares with what is live."
        )
        raise PromotionConflict(msg)
    if number is not None:
        client.set_registered_model_alias(model, PREVIOUS, str(number))
        client.set_model_version_tag(model, str(number), "status", "previous")
    client.set_registered_model_alias(model, CHAMPION, str(to))
    client.set_model_version_tag(model, str(to), "status", "champion")
    _clear_challenger(client, model, to)
    moved = versions.by_alias(client, model, CHAMPION)
    if moved is None or moved.number != to:
        # A person with the EDIT right can move an alias in the UI, past any lock of ours.
        msg = (
            f"The champion of {model} was set to version {to} but reads "
            f"{_named(moved.number if moved else None)}: somebody moved it by hand meanwhile."
        )
        raise PromotionConflict(msg)
    return number


def set_challenger(client: MlflowClient, model: str, version: int) -> None:
    """Mark `version` as the candidate that passed its gate and waits."""
    client.set_registered_model_alias(model, CHALLENGER, str(version))
    client.set_model_version_tag(model, str(version), "status", "challenger")


def reject(client: MlflowClient, model: str, version: int, *, reason: str) -> None:
    """Tag `version` as rejected; it stays in the registry and nothing live changes."""
    client.set_model_version_tag(model, str(version), "status", "rejected")
    client.set_model_version_tag(model, str(version), "reason", reason)
    _clear_challenger(client, model, version)


def _clear_challenger(client: MlflowClient, model: str, version: int) -> None:
    challenger = versions.by_alias(client, model, CHALLENGER)
    if challenger is not None and challenger.number == version:
        client.delete_registered_model_alias(model, CHALLENGER)


def _named(version: int | None) -> str:
    return "none" if version is None else f"version {version}"

"""What the tags of a version say about its life; MLflow's list of versions shows them.

========================  =====================================================================
`status`                  challenger, champion, previous, retired, rejected or rolled_back
`rolled_back`             why it was rolled back; such a version never becomes `previous` again
`rescoring`               `due` as long as days that it scored await scoring by its successor
`kind`                    trained or recalibrated
`weights_of`              the version whose network this is: its own number when it was trained
`decision.announced`      the decision that is making it champion, until all has followed from it
========================  =====================================================================
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Literal

from mlflow import MlflowClient

from pipeline.ledger import Decision
from pipeline.records import from_json
from pipeline.registry.versions import Version

Status = Literal["challenger", "champion", "previous", "retired", "rejected", "rolled_back"]

STATUS, ROLLED_BACK, RESCORING = "status", "rolled_back", "rescoring"
KIND, WEIGHTS_OF = "kind", "weights_of"
_ANNOUNCED = "decision.announced"
_DUE = "due"


def set_status(client: MlflowClient, model: str, number: int, status: Status) -> None:
    """Say where a version stands."""
    client.set_model_version_tag(model, str(number), STATUS, status)


def status_of(version: Version) -> str:
    """Where a version stands; empty when nothing was decided about it."""
    return version.tags.get(STATUS, "")


def weights_of(version: Version) -> int:
    """The version whose network this is; scores of two with the same network are the same."""
    return int(version.tags.get(WEIGHTS_OF, version.number))


def announce(client: MlflowClient, decision: Decision) -> None:
    """Write down what is about to be done, where the next run will find it."""
    client.set_model_version_tag(
        decision.detector, str(decision.version), _ANNOUNCED, json.dumps(asdict(decision))
    )


def announced(version: Version) -> Decision | None:
    """The decision that was making `version` champion when something interrupted it."""
    text = version.tags.get(_ANNOUNCED)
    return from_json(Decision, json.loads(text)) if text else None


def forget_announcement(client: MlflowClient, model: str, number: int) -> None:
    """All has followed from the decision."""
    client.delete_model_version_tag(model, str(number), _ANNOUNCED)


def mark_champion(client: MlflowClient, model: str, number: int) -> None:
    """A champion is not rolled back, even if it once was: a person has brought it back."""
    set_status(client, model, number, "champion")
    for key in (ROLLED_BACK, RESCORING):
        client.delete_model_version_tag(model, str(number), key)


def mark_rolled_back(client: MlflowClient, model: str, number: int, *, reason: str) -> None:
    """Say why a version had to go, and that the days it scored must be scored again."""
    client.set_model_version_tag(model, str(number), RESCORING, _DUE)
    client.set_model_version_tag(model, str(number), ROLLED_BACK, reason)
    set_status(client, model, number, "rolled_back")


def reason_rolled_back(version: Version) -> str:
    """Why a version was rolled back; empty when it was not, or has been brought back."""
    return version.tags.get(ROLLED_BACK, "")


def is_rescoring_due(version: Version) -> bool:
    """Whether days that it scored await scoring by its successor."""
    return version.tags.get(RESCORING) == _DUE


def mark_rescored(client: MlflowClient, model: str, number: int) -> None:
    """The days that it scored have been scored again."""
    client.set_model_version_tag(model, str(number), RESCORING, "done")

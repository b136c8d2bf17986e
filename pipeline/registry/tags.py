"""What the tags of a version say about its life; MLflow's list of versions shows them.

========================  =====================================================================
`status`                  challenger, champion, previous, retired, rejected or rolled_back
`rolled_back`             why it was rolled back; such a version never becomes `previous` again
`rescoring`               `due` as long as days that it scored await scoring by its successor
`kind`                    trained or recalibrated
`weights_of`              the version whose network this is: its own number when it was trained
`ledger.head`             the head of the ledger when it last became champion, signed
`bundle_sha256`           digest of its bundle, as its gate saw it; the ledger's is what counts
========================  =====================================================================
"""

from __future__ import annotations

from typing import Literal

from mlflow import MlflowClient

from pipeline.registry.versions import Version

Status = Literal["challenger", "champion", "previous", "retired", "rejected", "rolled_back"]

STATUS, ROLLED_BACK, RESCORING = "status", "rolled_back", "rescoring"
KIND, WEIGHTS_OF = "kind", "weights_of"
_HEAD = "ledger.head"
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


def ledger_head(version: Version) -> str:
    """The head of the ledger when it last became champion; empty when it never did."""
    return version.tags.get(_HEAD, "")


def keep_ledger_head(client: MlflowClient, model: str, number: int, head: str) -> None:
    """Keep the head of the ledger on the version that it made live."""
    client.set_model_version_tag(model, str(number), _HEAD, head)


def forget_ledger_head(client: MlflowClient, model: str, number: int) -> None:
    """Take away a head that nobody has signed."""
    client.delete_model_version_tag(model, str(number), _HEAD)


def bundle_digest(version: Version) -> str:
    """The digest of its bundle as its gate tagged it; empty when it did not."""
    return version.tags.get("bundle_sha256", "")


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

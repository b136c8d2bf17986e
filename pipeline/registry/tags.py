"""The tags of a version; MLflow's list of versions shows them.

========================  =====================================================================
`status`                  challenger, champion, previous, retired, rejected or rolled_back
`rolled_back`             why it was rolled back; such a version never becomes `previous` again
`rescoring`               `due` as long as its successor must still score days that it scored
`kind`                    trained or recalibrated
`weights_of`              the version whose network this is: its own number when it was trained
`ledger.head`             the head of the ledger when it last became champion, signed
`judged_in`               the run whose gate judged it; it asks for the approval, too
`bundle_sha256`           digest of its bundle at its gate; the ledger's digest counts
========================  =====================================================================
"""

from __future__ import annotations

from typing import Literal

from mlflow import MlflowClient

from pipeline.dag_ids import dag_id
from pipeline.registry.versions import Version

Status = Literal["challenger", "champion", "previous", "retired", "rejected", "rolled_back"]

STATUS, ROLLED_BACK, RESCORING = "status", "rolled_back", "rescoring"
KIND, WEIGHTS_OF = "kind", "weights_of"
JUDGED_IN = "judged_in"
_HEAD = "ledger.head"
_DUE = "due"


def set_status(client: MlflowClient, model: str, number: int, status: Status) -> None:
    """Set the status tag of a version."""
    client.set_model_version_tag(model, str(number), STATUS, status)


def status_of(version: Version) -> str:
    """The status of a version; empty when nothing was decided about it."""
    return version.tags.get(STATUS, "")


def weights_of(version: Version) -> int:
    """The version whose network this is; scores of two with the same network are the same."""
    return int(version.tags.get(WEIGHTS_OF, version.number))


def judged_in(version: Version, model: str) -> str:
    """The run whose gate judged it; its DAG, where an earlier release did not tag it."""
    verb = "recalibrate" if version.tags.get(KIND) == "recalibrated" else "train"
    return version.tags.get(JUDGED_IN) or dag_id(model, verb)


def ledger_head(version: Version) -> str:
    """The head of the ledger when it last became champion; empty when it never did."""
    return version.tags.get(_HEAD, "")


def keep_ledger_head(client: MlflowClient, model: str, number: int, head: str) -> None:
    """Keep the head of the ledger on the version that it made live."""
    client.set_model_version_tag(model, str(number), _HEAD, head)


def forget_ledger_head(client: MlflowClient, model: str, number: int) -> None:
    """Delete an unsigned head."""
    client.delete_model_version_tag(model, str(number), _HEAD)


def bundle_digest(version: Version) -> str:
    """The digest of its bundle as its gate tagged it; empty when it did not."""
    return version.tags.get("bundle_sha256", "")


def mark_champion(client: MlflowClient, model: str, number: int) -> None:
    """Tag the champion, and delete the tags of an earlier rollback, which a person has undone."""
    set_status(client, model, number, "champion")
    for key in (ROLLED_BACK, RESCORING):
        client.delete_model_version_tag(model, str(number), key)


def mark_rolled_back(client: MlflowClient, model: str, number: int, *, reason: str) -> None:
    """Tag a version with the reason of its rollback; the days it scored must be scored again."""
    client.set_model_version_tag(model, str(number), RESCORING, _DUE)
    client.set_model_version_tag(model, str(number), ROLLED_BACK, reason)
    set_status(client, model, number, "rolled_back")


def is_rescoring_due(version: Version) -> bool:
    """Whether days that it scored must still be scored by its successor."""
    return version.tags.get(RESCORING) == _DUE


def mark_rescored(client: MlflowClient, model: str, number: int) -> None:
    """Tag a version whose days have been scored again by its successor."""
    client.set_model_version_tag(model, str(number), RESCORING, "done")

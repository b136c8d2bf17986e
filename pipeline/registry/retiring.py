"""Deleting a version for good: by number, with its files, and nothing else.

Never `mlflow gc`: it deletes the files of all that is marked as deleted, a champion's too.
"""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipeline.errors import PromotionConflict
from pipeline.registry.runs import CANDIDATE_TAG, experiment_of

_MODELS = "models:/"


def delete_version(client: MlflowClient, model: str, number: int) -> None:
    """Delete version `number`, and the files of its bundle unless another version shares them.

    Its run stays, with its numbers, figures and card: the record of what was tried. The caller
    holds the promotion lock. A version that is gone already is no error.

    Raises:
        PromotionConflict: an alias points to it.
    """
    try:
        found = client.get_model_version(model, str(number))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return
        raise
    if found.aliases:
        # Checked once more: a person can set an alias in the UI, past any lock of ours.
        msg = f"Version {number} of {model} is {', '.join(found.aliases)}; it was not deleted."
        raise PromotionConflict(msg)
    shared = len(client.search_model_versions(f"run_id = '{found.run_id}'")) > 1
    # The version first: killed in between, this leaves extra files, never a version without files.
    client.delete_model_version(model, str(number))
    if not shared:
        _delete_files(client, found)


def running_candidates(client: MlflowClient, detector: str) -> set[str]:
    """Names of the candidates whose runs have not ended."""
    experiment = experiment_of(client, detector)
    if experiment is None:
        return set()
    found, token = set(), None
    while True:
        page = client.search_runs(
            [experiment], "attributes.status = 'RUNNING'", page_token=token, max_results=1000
        )
        found |= {run.data.tags.get(CANDIDATE_TAG, "") for run in page}
        token = page.token
        if not token:
            return found - {""}


def _delete_files(client: MlflowClient, version: ModelVersion) -> None:
    # MLflow 3.17 leaves `model_id` empty; the source names the logged model all the same.
    model_id = (version.source or "").removeprefix(_MODELS)
    if not model_id.startswith("m-"):
        return
    logged = client.get_logged_model(model_id)
    get_artifact_repository(logged.artifact_location).delete_artifacts()  # type: ignore[no-untyped-call]  # so MLflow has it
    client.delete_logged_model(model_id)

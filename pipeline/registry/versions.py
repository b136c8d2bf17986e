"""Model versions in MLflow: a bundle, its tags and its promotion card."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import mlflow
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

LOADER = "pipeline.registry.loader"
_ABOUT = (
    "Bundles of the detector `{}`. **champion** is live, **challenger** passed its gate and waits, "
    "**previous** is for a rollback. Each version opens with its promotion card."
)
_LONGEST_CARD = 5000  # characters of a description in MLflow's database
_CUT = "\n\n*Cut here; the run's `card.md` has all of it.*"
_GONE = re.compile(r"\b404\b|not found|No such|does not exist|Unable to find", re.IGNORECASE)
_NEEDED_TO_SCORE = ("numpy", "onnxruntime", "pandas", "pyarrow", "pydantic", "safetensors")


@dataclass(frozen=True)
class Version:
    """One registered version.

    Attributes:
        number: the registry's version number.
        run_id: the run of the candidate.
        source: MLflow's URI of its files.
        tags: its tags.
        description: its promotion card.
    """

    number: int
    run_id: str
    source: str
    tags: Mapping[str, str]
    description: str


def register(
    client: MlflowClient, *, model: str, run_id: str, bundle: Path, features: tuple[str, ...]
) -> Version:
    """Log `bundle` under the candidate's run and register it; a rerun finds what it registered."""
    existing = client.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
    if existing:
        return _version(existing[0])
    _ensure_model(client, model)
    with warnings.catch_warnings():
        # MLflow asks for an example row; the golden rows in the bundle do more than that.
        warnings.filterwarnings("ignore", message=".*input example was not provided")
        info = Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            name="detector",
            loader_module=LOADER,
            data_path=str(bundle),
            signature=ModelSignature(
                inputs=Schema([ColSpec("double", name) for name in features]),
                outputs=Schema(
                    [
                        ColSpec("double", "score"),
                        ColSpec("double", "threshold"),
                        ColSpec("boolean", "is_anomaly"),
                    ]
                ),
            ),
            # Given by hand: inferring them would import the model in a subprocess for 7-17 s.
            pip_requirements=[f"{name}=={version(name)}" for name in _NEEDED_TO_SCORE],
        )
    return _version(
        client.create_model_version(model, info.model_uri, run_id, model_id=info.model_id)
    )


def describe(
    client: MlflowClient, model: str, number: int, *, card: str, tags: Mapping[str, str]
) -> None:
    """Set a version's promotion card and tags."""
    client.update_model_version(model, str(number), description=_fitting(card))
    for key, value in tags.items():
        client.set_model_version_tag(model, str(number), key, value)


def _fitting(card: str) -> str:
    """The part of a card that fits MLflow's database; the run has all of it."""
    if len(card) <= _LONGEST_CARD:
        return card
    kept = card[: _LONGEST_CARD - len(_CUT)].rpartition("\n")[0]
    return kept + _CUT


def by_alias(client: MlflowClient, model: str, alias: str) -> Version | None:
    """The version that `alias` points to, or None."""
    try:
        return _version(client.get_model_version_by_alias(model, alias))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def by_number(client: MlflowClient, model: str, number: int) -> Version | None:
    """Version `number`, or None if there is no such version (any more)."""
    try:
        return _version(client.get_model_version(model, str(number)))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def every(client: MlflowClient, model: str) -> tuple[Version, ...]:
    """All versions of `model`, oldest first; none if there is no such model."""
    found, token = [], None
    while True:
        page = client.search_model_versions(f"name = '{model}'", page_token=token)
        found += [_version(version) for version in page]
        token = page.token
        if not token:
            return tuple(sorted(found, key=lambda version: version.number))


class FilesGone(Exception):  # noqa: N818 - names what was found
    """The files of a version are not where MLflow says; the message quotes MLflow."""


def download(wanted: Version, folder: Path) -> Path:
    """The bundle directory of the version, fetched into `folder`.

    Raises:
        FilesGone: the files are not there, or hold no bundle.
    """
    try:
        root = Path(
            mlflow.artifacts.download_artifacts(artifact_uri=wanted.source, dst_path=str(folder))
        )
    except (MlflowException, OSError) as error:
        # An artifact that is not there has no error code of its own.
        if _GONE.search(reason := " ".join(str(error).split())):
            raise FilesGone(reason[:200]) from error
        raise
    found = next(root.rglob("detector.json"), None)
    if found is None:
        msg = "its files hold no detector.json"
        raise FilesGone(msg)
    return found.parent


def _ensure_model(client: MlflowClient, model: str) -> None:
    try:
        client.create_registered_model(model, description=_ABOUT.format(model))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version(found: mlflow.entities.model_registry.ModelVersion) -> Version:
    return Version(
        number=int(found.version),
        run_id=found.run_id or "",
        source=found.source or "",
        tags=dict(found.tags or {}),
        description=found.description or "",
    )

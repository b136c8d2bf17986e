"""Addresses of MLflow pages, for links that a person clicks.

Without `workflowType` MLflow 3 opens in its GenAI mode, where the registry is hidden. Its router
reads the parameter behind the `#` only.
"""

from __future__ import annotations

MLFLOW_PAGE = "mlflow_page"
"""XCom key for the address that the MLflow button of a task opens."""

_MODE = "?workflowType=machine_learning"


def run_page(mlflow_url: str, experiment_id: str, run_id: str) -> str:
    """The page of one run."""
    return f"{mlflow_url}/#/experiments/{experiment_id}/runs/{run_id}{_MODE}"


def version_page(mlflow_url: str, model: str, version: int) -> str:
    """The page of one model version: the promotion card."""
    return f"{mlflow_url}/#/models/{model}/versions/{version}{_MODE}"


def artifact_page(run_page: str, path: str) -> str:
    """The page of a run with one of its artifacts open."""
    return f"{run_page.removesuffix(_MODE)}/artifacts/{path}{_MODE}"


def inside_mlflow(page: str) -> str:
    """The same page as a link in MLflow's own Markdown; relative, so it follows the host."""
    return "#" + page.partition("#")[2]


def artifact_image(run_id: str, path: str) -> str:
    """An artifact as an image inside MLflow's own Markdown; relative, so it follows the host."""
    return f"get-artifact?path={path.replace('/', '%2F')}&run_uuid={run_id}"

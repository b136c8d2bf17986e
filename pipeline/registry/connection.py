"""A quiet MLflow client."""

from __future__ import annotations

import logging

import mlflow
from mlflow import MlflowClient

from pipeline.settings import Settings, hand_to_mlflow

Client = MlflowClient
"""A name for it outside this package, which alone imports MLflow."""


def connect(settings: Settings) -> MlflowClient:
    """A client of the deployment's MLflow server."""
    hand_to_mlflow(settings)
    mlflow.set_tracking_uri(settings.mlflow_uri)
    mlflow.set_registry_uri(settings.mlflow_uri)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient()

"""The file with the logins, as nothing prints a password."""

from __future__ import annotations

from deploy.embedded.stack import LOGIN, Stack
from pipeline.private_file import write_private


def leave_logins(stack: Stack) -> None:
    """Write the file, readable by its owner only."""
    write_private(stack.layout.logins, _text(stack))


def _text(stack: Stack) -> str:
    return f"""\
The logins of the Plimsoll stack in {stack.layout.home}, written by each `make up`.

Airflow   {stack.airflow_url}
MLflow    {stack.mlflow_page}
user      {LOGIN}
password  {stack.secrets.airflow_password}

What programs of your own set to ask this MLflow; Plimsoll's own commands need nothing:
MLFLOW_TRACKING_URI={stack.mlflow_url}
MLFLOW_TRACKING_TOKEN={stack.secrets.mlflow_token}
"""

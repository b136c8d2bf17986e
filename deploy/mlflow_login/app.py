"""The application that the web server serves: a part of MLflow's own, behind the login."""

from __future__ import annotations

import os

from mlflow.server.fastapi_app import app as mlflow_app
from mlflow.server.fastapi_security import HostValidationMiddleware, get_allowed_hosts
from starlette.types import ASGIApp

from deploy.mlflow_login.credentials import read_credentials
from deploy.mlflow_login.middleware import LoginRequired
from deploy.mlflow_login.served import OnlyServed


def behind_login(served: ASGIApp) -> ASGIApp:
    """`served` behind the login, and the login behind MLflow's check of the host's name.

    The order matters: under a foreign name not even the login page is shown.
    """
    return HostValidationMiddleware(
        LoginRequired(served, read_credentials(os.environ)), get_allowed_hosts()
    )


app = behind_login(OnlyServed(mlflow_app))

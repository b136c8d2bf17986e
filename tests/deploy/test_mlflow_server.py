from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from deploy.mlflow_server import BEHIND_LOGIN, PLAIN, behind_login


def test_the_web_server_serves_mlflow_behind_the_login():
    served = behind_login([sys.executable, "-m", "uvicorn", "--workers", "1", PLAIN])

    assert served[-1] == BEHIND_LOGIN
    assert PLAIN not in served


@pytest.mark.parametrize(
    "application",
    ["mlflow.server:app", "mlflow.server.auth:create_app", "mlflow.server.auth:create_app()"],
)
def test_any_other_application_would_be_open_and_is_not_served(application: str):
    with pytest.raises(SystemExit, match="without a login"):
        behind_login([sys.executable, "-m", "gunicorn", application])


def test_mlflow_still_starts_what_is_replaced():
    found = importlib.util.find_spec("mlflow.server")

    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).read_text()
    assert f'"{PLAIN}"' in source
    assert "server_proc = _exec_cmd(" in source

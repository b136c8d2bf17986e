"""What of MLflow is served, asked of the routes that this very MLflow has."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from deploy.mlflow_login.served import OnlyServed, is_served

# MLflow's own, when its server is imported.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::starlette.exceptions.StarletteDeprecationWarning"),
]

ACTING = ("assistant", "gateway", "jobs", "job_api", "mcp-servers", "webhooks", "scorer", "genai")
ACTING += ("prompt-optimization", "demo", "v1/traces")


def paths() -> list[str]:
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app as fastapi_app

    flask = [rule.rule for rule in flask_app.url_map.iter_rules()]
    return flask + [route.path for route in fastapi_app.routes if getattr(route, "path", "")]


def test_nothing_that_acts_for_its_caller_is_served():
    acting = [path for path in paths() if any(word in path for word in ACTING)]

    assert len(acting) > 100
    assert [path for path in acting if is_served(path)] == []


def test_all_else_is_served():
    other = [path for path in paths() if not any(word in path for word in ACTING)]

    assert len(other) > 200
    # Two names for pages of the user interface, which asks for them by its hash.
    assert {path for path in other if not is_served(path)} == {"/build/<path:filename>"}


@pytest.mark.parametrize(
    "path",
    [
        "/ajax-api/3.0/mlflow/assistant/config",
        "//ajax-api/3.0/mlflow/assistant/config",
        "/ajax-api/3.0/mlflow/./assistant/config",
        "/AJAX-API/3.0/mlflow/assistant/config",
        "/ajax-api/3.0/mlflow/runs\n/../assistant/config",
        "/gateway/openai/v1/chat/completions",
        "/ajax-api/2.0/mlflow/gateway-proxy",
        "/api/2.0/mlflow/runsx",
        "/docs",
        "/openapi.json",
    ],
)
def test_another_spelling_opens_nothing(path: str):
    assert not is_served(path)


def test_what_is_not_served_says_so():
    async def mlflow(*_: object) -> None:
        raise AssertionError("it was asked")

    client = TestClient(OnlyServed(mlflow))

    answer = client.put("/ajax-api/3.0/mlflow/assistant/config", json={})

    assert answer.status_code == 404
    assert "switched off" in answer.json()["message"]

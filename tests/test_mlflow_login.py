"""User and password in MLFLOW_TRACKING_URI, or a token, reach MLflow, and nobody else."""

import os

import mlflow
import pytest

from pipeline import settings
from pipeline.registry.connection import connect


@pytest.fixture
def with_login(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:p%40ss@127.0.0.1:9/mlflow")
    monkeypatch.delenv("PLIMSOLL_MLFLOW_URL", raising=False)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    before = mlflow.get_tracking_uri()
    yield settings.load()
    mlflow.set_tracking_uri(before)


def test_the_address_and_every_link_are_without_them(with_login):
    assert with_login.mlflow_uri == with_login.mlflow_url == "http://127.0.0.1:9/mlflow"
    assert "p@ss" not in repr(with_login)
    assert "p%40ss" not in repr(with_login)


def test_mlflow_gets_them_where_it_looks_for_them(with_login):
    connect(with_login)

    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "ann"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "p@ss"  # noqa: S105 - made for this test
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:9/mlflow"


def test_a_token_reaches_mlflow_and_no_text(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a-token")
    found = settings.load()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "")

    settings.hand_to_mlflow(found)

    assert os.environ["MLFLOW_TRACKING_TOKEN"] == "a-token"  # noqa: S105 - made for this test
    assert "a-token" not in repr(found)


@pytest.mark.parametrize(
    ("url", "files"),
    [
        ("sqlite:////plant/mlflow.db?timeout=30", "file:///plant/mlruns"),
        ("sqlite://", "as it was"),
        ("http://127.0.0.1:5000", "as it was"),
    ],
)
def test_the_files_of_a_database_of_ones_own_lie_beside_it(monkeypatch, url, files):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "as it was")

    settings.hand_to_mlflow(settings.load())

    assert os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] == files


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "sqlite:////tmp/a@b.db", "file:///x"])
def test_an_address_without_them_stays_as_it_is(monkeypatch, url):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)

    found = settings.load()
    assert (found.mlflow_uri, found.mlflow_login) == (url, None)

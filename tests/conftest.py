"""Fixtures of every test: hypothesis profiles, a real S3 server and a real PostgreSQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.postgres_server import fresh_database, running_postgres
from tests.s3_server import BUCKET, free_ports, reaching, running_s3

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile(
    "thorough", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_SILENCED = ("BoundLoggerFilteringAtWarning", "BoundLoggerFilteringAtError")


@pytest.fixture(autouse=True, scope="module")
def tracking_uri_as_before() -> Iterator[None]:
    """MLflow keeps the tracking server that it was told last in the environment, for all tests."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture(autouse=True, scope="module")
def logs_as_before() -> Iterator[None]:
    """What a command of the command line silences, it silences for its own tests only.

    Airflow arranges its own logging when it is imported, in whichever module that happens first:
    that stays.
    """
    configured, before = structlog.is_configured(), structlog.get_config()
    yield
    if structlog.get_config()["wrapper_class"].__name__ not in _SILENCED:
        return
    if configured:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def no_lineage() -> Iterator[None]:
    """No lineage files from tests that are about something else: this is OpenLineage's switch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENLINEAGE_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def s3_metrics() -> str:
    """Address at which the S3 server shows its metrics once it runs."""
    return f"127.0.0.1:{free_ports(1, after=30_500)[0]}"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory, s3_metrics) -> Iterator[str]:
    """Endpoint of a SeaweedFS with one bucket, on loopback, stopped at the end."""
    port = int(s3_metrics.partition(":")[2])
    with running_s3(tmp_path_factory.mktemp("s3"), metrics_port=port) as reach:
        yield reach["AWS_ENDPOINT_URL"]


@pytest.fixture
def s3_root(s3_server, monkeypatch) -> str:
    """An empty place in the bucket, with the AWS_* variables that reach it."""
    for name, value in reaching(s3_server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.integration)])
def root(request, tmp_path) -> str:
    """A storage root: a local folder, then a real S3 server."""
    if request.param == "local":
        return str(tmp_path / "lake")
    place: str = request.getfixturevalue("s3_root")
    return place


@pytest.fixture(scope="session")
def postgres_dsn(tmp_path_factory) -> Iterator[str]:
    """URL of a PostgreSQL on loopback, as its owner; tests make databases of their own."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as dsn:
        yield dsn


@pytest.fixture
def database(postgres_dsn) -> str:
    """URL of an empty database."""
    return fresh_database(postgres_dsn)


@pytest.fixture(scope="session")
def real_cache() -> Path:
    """The cache that holds the real La Haute Borne wheel, if this machine has fetched it before."""
    from pipeline import settings as deployment
    from pipeline.data.sources.openoa_wheel import FILE

    # What a developer's own stack has fetched.
    cache = Path(os.environ.get("PLIMSOLL_CACHE", deployment.HOME / "cache"))
    if not (cache / FILE).exists():
        pytest.skip(f"needs {FILE} in {cache}; `make demo` fetches it")
    return cache


@pytest.fixture(autouse=True, scope="session")
def no_stack_of_this_machine(tmp_path_factory) -> Iterator[None]:
    """No test finds the embedded stack that a developer may have started in this repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLIMSOLL_HOME", str(tmp_path_factory.mktemp("home")))
        yield

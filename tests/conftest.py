"""What every test may use: hypothesis profiles, a real S3 server and a real PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from hypothesis import HealthCheck, settings

from tests.postgres_server import fresh_database, running_postgres

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_SILENCED = ("BoundLoggerFilteringAtWarning", "BoundLoggerFilteringAtError")

BUCKET = "lake"
KEY, SECRET = "plimsoll-test", "plimsoll-test-secret"
_GRPC_OFFSET = 10_000  # SeaweedFS opens a second port at this distance from each of its ports


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
    return f"127.0.0.1:{_free_ports(1, after=30_500)[0]}"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory, s3_metrics) -> Iterator[str]:
    """Endpoint of a SeaweedFS with one bucket, on loopback, stopped at the end."""
    folder = tmp_path_factory.mktemp("s3")
    master, volume, filer, s3 = _free_ports(4)
    command = [
        Path(sys.executable).parent / "weed", "mini", f"-dir={folder}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}",
        f"-filer.port={filer}", f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-disableHttp",
        f"-metricsPort={s3_metrics.partition(':')[2]}",
    ]  # fmt: skip
    credentials = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, env={**os.environ, **credentials}, stdout=log, stderr=log, cwd=folder
        )
    try:
        endpoint = f"http://127.0.0.1:{s3}"
        _make_bucket(endpoint, server, folder / "log")
        yield endpoint
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture
def s3_root(s3_server, monkeypatch) -> str:
    """An empty place in the bucket, with the AWS_* variables that reach it."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.integration)])
def root(request, tmp_path) -> str:
    """A storage root: a local folder, then a real S3 server."""
    if request.param == "local":
        return str(tmp_path / "lake")
    place: str = request.getfixturevalue("s3_root")
    return place


def _make_bucket(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}, connect_timeout=1, read_timeout=5),
    )
    deadline = time.monotonic() + 30
    reason: Exception | None = None
    while time.monotonic() < deadline and server.poll() is None:
        try:
            client.create_bucket(Bucket=BUCKET)
        except BotoCoreError as error:  # not listening yet
            reason = error
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"SeaweedFS did not start ({reason}): {log.read_text()[-2000:]}")


def _free_ports(n: int, *, after: int = 21_000) -> list[int]:
    found: list[int] = []
    for candidate in range(after + os.getpid() % 5_000, after + 9_000):
        if _is_free(candidate) and _is_free(candidate + _GRPC_OFFSET):
            found.append(candidate)
        if len(found) == n:
            return found
    pytest.fail("no free ports for SeaweedFS")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


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

    cache = deployment.load().cache
    if not (cache / FILE).exists():
        pytest.skip(f"needs {FILE} in {cache}; `make demo` fetches it")
    return cache

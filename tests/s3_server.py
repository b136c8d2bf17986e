"""A real S3 server on loopback for tests and benchmarks: SeaweedFS as the stack runs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tests.ending import end

BUCKET = "lake"
KEY, SECRET = "plimsoll-test", "plimsoll-test-secret"
_REGION = "us-east-1"
_PATIENCE_S = 30
_GRPC_OFFSET = 10_000  # SeaweedFS opens a second port at this distance from each of its ports


@contextmanager
def running_s3(folder: Path, *, metrics_port: int | None = None) -> Iterator[dict[str, str]]:
    """The AWS_* variables that reach a fresh server with one empty bucket; stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    master, volume, filer, s3 = free_ports(4)
    command = [
        str(Path(sys.executable).parent / "weed"), "mini", f"-dir={folder}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}",
        f"-filer.port={filer}", f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-disableHttp",
        *([f"-metricsPort={metrics_port}"] if metrics_port else []),
    ]  # fmt: skip
    reach = reaching(f"http://127.0.0.1:{s3}")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command,
            env={**os.environ, **reach, "GOMEMLIMIT": "512MiB"},
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        _make_bucket(reach["AWS_ENDPOINT_URL"], server, folder / "log")
        yield reach
    finally:
        end(server)


def reaching(endpoint: str) -> dict[str, str]:
    """The variables with which this process and those it starts reach the server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def free_ports(n: int, *, after: int = 21_000) -> list[int]:
    """`n` ports that are free, and whose neighbours for gRPC are."""
    found: list[int] = []
    for candidate in range(after + os.getpid() % 5_000, after + 9_000):
        if _is_free(candidate) and _is_free(candidate + _GRPC_OFFSET):
            found.append(candidate)
        if len(found) == n:
            return found
    raise RuntimeError(f"no free ports for SeaweedFS between {after} and {after + 9_000}")


def _make_bucket(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name=_REGION,
        config=Config(retries={"max_attempts": 1}, connect_timeout=1, read_timeout=5),
    )
    deadline = time.monotonic() + _PATIENCE_S
    reason: Exception | None = None
    while time.monotonic() < deadline and server.poll() is None:
        try:
            client.create_bucket(Bucket=BUCKET)
        except BotoCoreError as error:  # not listening yet
            reason = error
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"SeaweedFS did not start ({reason}): {log.read_text()[-2000:]}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

"""An S3 server on this machine, as the stack runs it, and tables copied into it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pyarrow import fs

from pipeline.staging import filesystem_at

BUCKET = "lake"
_REGION = "us-east-1"
_STARTS_S = 60
_STOPS_S = 30
_GRPC_OFFSET = 10_000  # SeaweedFS opens a second port at this distance from each of its ports


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """The variables that reach an empty bucket; its files lie in `folder`."""
    folder.mkdir(parents=True)
    master, volume, filer, port = _free_ports(4)
    key, secret = "benchmark", secrets.token_hex(16)
    credentials = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    command = [
        Path(sys.executable).parent / "weed", "mini", f"-dir={folder}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}",
        f"-filer.port={filer}", f"-s3.port={port}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-disableHttp",
    ]  # fmt: skip
    environment = {
        **os.environ,  # noqa: TID251 - a process like this one
        **credentials,
        "GOMEMLIMIT": "512MiB",
    }
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603 - our own command
            command, env=environment, stdout=log, stderr=log, cwd=folder
        )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _make_bucket(endpoint, key, secret, server)
        yield {
            **credentials,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": _REGION,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.terminate()
        try:
            server.wait(timeout=_STOPS_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def copy_table(folder: Path, uri: str) -> None:
    """The files of a Delta table, as they are."""
    filesystem, path = filesystem_at(uri)
    fs.copy_files(str(folder), path, destination_filesystem=filesystem, use_threads=False)


def _make_bucket(endpoint: str, key: str, secret: str, server: subprocess.Popen[bytes]) -> None:
    """Once the server answers."""
    store = fs.S3FileSystem(
        access_key=key,
        secret_key=secret,
        endpoint_override=endpoint,
        region=_REGION,
        allow_bucket_creation=True,
    )
    deadline = time.monotonic() + _STARTS_S
    while server.poll() is None:
        try:
            store.create_dir(BUCKET)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
    msg = "the S3 server stopped at once; `weed mini` says why in its log"
    raise RuntimeError(msg)


def _free_ports(n: int) -> list[int]:
    found: list[int] = []
    for candidate in range(26_000 + os.getpid() % 5_000, 40_000):
        if all(_is_free(port) for port in (candidate, candidate + _GRPC_OFFSET)):
            found.append(candidate)
        if len(found) == n:
            return found
    msg = "no free ports for the S3 server between 26000 and 40000"
    raise RuntimeError(msg)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

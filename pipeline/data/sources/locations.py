"""The files that a `path` of a detector file names: a file, a folder or a glob, local or s3://.

The detector file says WHAT is read, the deployment WHERE it is: relative paths are below its root.
A damaged file of a neighbouring day does not stop this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import structlog
from pyarrow import fs

from pipeline.config import SourceSpec
from pipeline.data.sources.shaping import SourceRows
from pipeline.errors import DataError, OutageError, PlimsollError
from pipeline.staging import filesystem_at
from pipeline.utc_day import ONE_DAY

DAY = "{date}"
_WILD = frozenset("*?[")

_PATHS = ("path", "replaced_days")

log = structlog.get_logger()


@dataclass(frozen=True)
class Location:
    """One file on its filesystem, and the day that its path names, if it names one."""

    filesystem: fs.FileSystem
    path: str
    day: date | None = None


def files_at(
    path: str, suffixes: tuple[str, ...], start: datetime, end: datetime
) -> list[Location]:
    """The files that may hold rows of [`start`, `end`), in order of their days and paths.

    With `{date}` in `path`, the files of each UTC day of the interval, of the day before and of the
    day after: a day's file may be that of a local day, which begins up to 14 hours earlier or
    later. A day's file that is not there means that the source delivered nothing. Without
    `{date}`, no file at all is an outage: the data must have gone somewhere.

    Raises:
        OutageError: the store does not answer, or a path without `{date}` has no file.
    """
    if DAY in path:
        first = start.date() - ONE_DAY
        last = _last_day(end) + ONE_DAY
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return [file for day in days for file in files_of(path, suffixes, day)]
    found = _listed(path, path, suffixes, None)
    if not found:
        msg = (
            f"source.path {path!r} has no {' or '.join(suffixes)} file; correct the path, or wait "
            "until the file is delivered."
        )
        raise OutageError(msg)
    return found


def files_of(path: str, suffixes: tuple[str, ...], day: date) -> list[Location]:
    """The files of one day, which `path` names with `{date}`; none: it has not been delivered.

    Raises:
        OutageError: the store does not answer.
    """
    return _listed(path, path.replace(DAY, day.isoformat()), suffixes, day)


def is_of(file: Location, start: datetime, end: datetime) -> bool:
    """Whether `file` may hold any day, or its path names a day of [`start`, `end`)."""
    return file.day is None or start.date() <= file.day <= _last_day(end)


def _last_day(end: datetime) -> date:
    return (end - timedelta(microseconds=1)).date()


def read_bytes(file: Location) -> bytes:
    """The content of the file.

    Raises:
        OutageError: the store does not return it.
    """
    try:
        with file.filesystem.open_input_file(file.path) as stream:
            held: bytes = stream.read()
    except OSError as error:
        msg = f"{file.path} cannot be read ({error}); check that the store answers, then retry."
        raise OutageError(msg) from error
    return held


def damage(file: Location, what: str, error: Exception) -> PlimsollError:
    """The error for a file that cannot be read: a DataError if the store returns it whole.

    Else an OutageError: Arrow does not distinguish a damaged file from a store without an answer.
    """
    try:
        read_bytes(file)
    except OutageError as outage:
        return outage
    reason = " ".join(str(error).split())
    return DataError(f"{file.path} {what} ({reason}); deliver it again, or correct source.path.")


def _listed(given: str, path: str, suffixes: tuple[str, ...], day: date | None) -> list[Location]:
    try:
        return [Location(each.filesystem, each.path, day) for each in _matching(path, suffixes)]
    except OSError as error:
        msg = (
            f"source.path {given!r} cannot be listed ({error}); check that the store answers and "
            "that its credentials (AWS_* for s3://) may read it."
        )
        raise OutageError(msg) from error


def _matching(path: str, suffixes: tuple[str, ...]) -> Iterator[Location]:
    filesystem, place = _place(path)
    if _is_there(filesystem, place) or not _WILD & set(place):
        yield from _at(filesystem, place, suffixes)
        return
    folder, pattern = _split(filesystem, place)
    for location in _below(filesystem, folder, suffixes=()):
        if _fits(location.path[len(folder) :].strip("/").split("/"), pattern):
            yield location


def _place(path: str) -> tuple[fs.FileSystem, str]:
    """The filesystem and the path there; in a URI `?`, `[` and blanks would mean something else."""
    scheme, is_uri, rest = path.partition("://")
    if not is_uri:
        return filesystem_at(path)
    filesystem, _ = filesystem_at(f"{scheme}://{rest.partition('/')[0] or '/'}")
    return filesystem, rest.rstrip("/")


def _at(filesystem: fs.FileSystem, place: str, suffixes: tuple[str, ...]) -> Iterator[Location]:
    kind = filesystem.get_file_info(place).type
    if kind == fs.FileType.File:
        yield Location(filesystem, place)
    elif kind == fs.FileType.Directory:
        yield from _below(filesystem, place, suffixes)


def _split(filesystem: fs.FileSystem, place: str) -> tuple[str, list[str]]:
    """The folder that a glob begins in, and its pattern, a part for each level below.

    A folder that is really called `plant [A]` is a folder and not a pattern.
    """
    parts = place.split("/")
    known = 1
    while known < len(parts) - 1:
        name = parts[known]
        deeper = "/".join(parts[: known + 1])
        if _WILD & set(name) and ("*" in name or "?" in name or not _is_there(filesystem, deeper)):
            break
        known += 1
    return "/".join(parts[:known]), parts[known:]


def _is_there(filesystem: fs.FileSystem, place: str) -> bool:
    return bool(filesystem.get_file_info(place).type != fs.FileType.NotFound)


def _fits(names: list[str], pattern: list[str]) -> bool:
    """Whether a path below the folder fits; `**` crosses any number of folders, `*` none."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_fits(names[n:], pattern[1:]) for n in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and _fits(names[1:], pattern[1:])


def _below(filesystem: fs.FileSystem, folder: str, suffixes: tuple[str, ...]) -> Iterator[Location]:
    """Files under `folder`, without those that writers hide (`_SUCCESS`, `.crc`)."""
    selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
    for info in sorted(filesystem.get_file_info(selector), key=lambda info: info.path):
        is_hidden = info.base_name.startswith(("_", "."))
        is_wanted = info.base_name.lower().endswith(suffixes or ("",)) and not is_hidden
        if info.type == fs.FileType.File and is_wanted:
            yield Location(filesystem, info.path)


def anchored(source: SourceSpec, root: str) -> SourceSpec:
    """`source` with its relative paths put under `root`, a local folder or an `s3://` URI."""
    given = {name: getattr(source, name, None) for name in _PATHS}
    relative = {
        name: f"{root.rstrip('/')}/{path}"
        for name, path in given.items()
        if path is not None and "://" not in path and not PurePosixPath(path).is_absolute()
    }
    return source.model_copy(update=relative)


def read_all(
    files: Sequence[Location],
    read: Callable[[Location], SourceRows],
    start: datetime,
    end: datetime,
) -> list[SourceRows]:
    """The rows of `files`. A file of a day outside [`start`, `end`) is left out if it is faulty.

    Such a file is read for the few rows that a local day shares with its neighbour; its own day
    reports the fault. If it holds rows of the interval, the completeness check counts what is
    missing.

    Raises:
        DataError: a file of the interval, or of any days, is faulty.
        OutageError: the store does not answer.
    """
    found: list[SourceRows] = []
    for file in files:
        try:
            found.append(read(file))
        except DataError as error:
            if is_of(file, start, end):
                raise
            log.warning("neighbouring_file_not_read", path=file.path, reason=str(error))
    return found

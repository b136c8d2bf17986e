"""Which files a `path` of a detector file stands for: a file, a folder or a glob, local or s3://."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pyarrow import fs

from pipeline.errors import OutageError
from pipeline.staging import filesystem_at

DAY = "{date}"
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Location:
    """One file on its filesystem."""

    filesystem: fs.FileSystem
    path: str


def files_at(
    path: str, suffixes: tuple[str, ...], timezone: str, start: datetime, end: datetime
) -> list[Location]:
    """The files that may hold rows of [`start`, `end`), in order of their paths.

    With `{date}` in `path`, one path for each day of the interval as `timezone` counts days; a
    day's file that is not there means that the source delivered nothing. Without it, no file at
    all is an outage: the data must have gone somewhere.

    Raises:
        OutageError: the store does not answer, or a path without `{date}` has no file.
    """
    try:
        if DAY not in path:
            found = list(_matching(path, suffixes))
        else:
            days = _days(start, end, timezone)
            found = [at for day in days for at in _matching(path.replace(DAY, day), suffixes)]
    except OSError as error:
        msg = (
            f"source.path {path!r} cannot be listed ({error}); check that the store answers and "
            "that its credentials (AWS_* for s3://) may read it."
        )
        raise OutageError(msg) from error
    if not found and DAY not in path:
        msg = (
            f"source.path {path!r} has no {' or '.join(suffixes)} file; correct the path, or wait "
            "until the file is delivered."
        )
        raise OutageError(msg)
    return found


def _days(start: datetime, end: datetime, timezone: str) -> Iterator[str]:
    zone = ZoneInfo(timezone)
    day = start.astimezone(zone).date()
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)


def _matching(path: str, suffixes: tuple[str, ...]) -> Iterator[Location]:
    wildcard = _WILDCARD.search(path)
    if wildcard is None:
        filesystem, place = filesystem_at(path)
        kind = filesystem.get_file_info(place).type
        if kind == fs.FileType.File:
            yield Location(filesystem, place)
        elif kind == fs.FileType.Directory:
            yield from _below(filesystem, place, suffixes)
        return
    folder = path[: path.rindex("/", 0, wildcard.start())] if "/" in path else "."
    filesystem, place = filesystem_at(folder)
    remainder = path[len(folder) :].lstrip("/") if "/" in path else path
    pattern = _pattern(remainder)
    for location in _below(filesystem, place, suffixes=()):
        if pattern.fullmatch(location.path[len(place) :].lstrip("/")):
            yield location


def _below(filesystem: fs.FileSystem, folder: str, suffixes: tuple[str, ...]) -> Iterator[Location]:
    """Files under `folder`, without those that writers hide (`_SUCCESS`, `.crc`)."""
    selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
    for info in sorted(filesystem.get_file_info(selector), key=lambda info: info.path):
        is_hidden = info.base_name.startswith(("_", "."))
        is_wanted = info.base_name.endswith(suffixes or ("",)) and not is_hidden
        if info.type == fs.FileType.File and is_wanted:
            yield Location(filesystem, info.path)


def _pattern(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression: `**/` crosses folders, `*` and `?` do not."""
    translated = re.escape(glob).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.compile(translated.replace(r"\?", "[^/]").replace(r"\[", "[").replace(r"\]", "]"))

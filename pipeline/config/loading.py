"""Detector files from disk; every mistake is reported with file, line, key, value and fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from pipeline.config import database_source, names
from pipeline.config.detector import DetectorSpec
from pipeline.config.mistakes import explain, located
from pipeline.config.problems import span_problems, truth_problems
from pipeline.config.shown import named, shown
from pipeline.config.yaml_text import mistakes_text, read_document
from pipeline.errors import ConfigError

SUFFIX = ".yaml"

_SUFFIXES = (SUFFIX, ".yml")
_SET_ASIDE = (".", "#", "~")


def load_detector(path: Path) -> DetectorSpec:
    """The detector that `path` describes.

    Raises:
        ConfigError: one line for each mistake, with file, line, key, value, limit and fix.
    """
    document = read_document(path)
    try:
        spec = DetectorSpec.model_validate(document.content)
    except ValidationError as error:
        raise ConfigError(mistakes_text(path, explain(document.root, error))) from error
    problems = chain(
        _misnamed(spec, path),
        truth_problems(document.content, spec),
        names.problems_of(spec),
        database_source.problems_of(spec),
        span_problems(spec.columns),
    )
    if said := mistakes_text(path, (located(document.root, *problem) for problem in problems)):
        raise ConfigError(said)
    return spec


def _misnamed(spec: DetectorSpec, path: Path) -> Iterator[names.Problem]:
    if spec.name != path.stem:
        problem = (
            f"got {spec.name!r} in a file called {shown(path.stem)}; "
            "the two must agree, because tables and DAGs are found by that name: rename one"
        )
        yield ("name",), problem


def detector_files(folder: Path) -> list[Path]:
    """The entries of `folder` that are meant as detector files, in order, right or wrong.

    Files that editors leave behind (`.#x.yaml`, `#x.yaml#`, `~x.yaml`, `x.yaml~`) are left out. A
    folder, a dangling link and `x.yml` are included: loading them says what is wrong.

    Raises:
        ConfigError: the folder cannot be read.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        msg = (
            f"{folder}: cannot be read ({error.strerror}); set PLIMSOLL_DETECTORS to the folder of "
            "detector files"
        )
        raise ConfigError(msg) from error
    return [
        path
        for path in entries
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(_SET_ASIDE)
    ]


def readable_name(path: Path) -> Path:
    """`path`, if its name is that of a detector file.

    Raises:
        ConfigError: it ends in another way, so that Airflow would never find the detector.
    """
    if path.suffix != SUFFIX:
        msg = (
            f"{path}: a detector file ends in {SUFFIX}, and this one in {path.suffix!r}; rename it "
            f"to {path.stem}{SUFFIX}"
        )
        raise ConfigError(msg)
    return path


def find_detector(folder: Path, name: str) -> Path:
    """The file of the detector `name` in `folder`.

    Raises:
        ConfigError: there is none; the message names the nearest.
    """
    files = detector_files(folder)
    for path in files:
        if path.stem == name and path.suffix == SUFFIX:
            return path
    for path in files:
        if path.suffix != SUFFIX and name in (path.stem, path.name):
            return readable_name(path)
    known = [path.stem for path in files]
    # People also give a path, or the file's own name.
    wanted = Path(name).name.removesuffix(SUFFIX)
    close = [wanted] if wanted in known else difflib.get_close_matches(wanted[:80], known, n=1)
    nearest = f"did you mean {close[0]!r}? " if close else ""
    msg = (
        f"there is no detector {shown(name)} in {folder}; {nearest}Known: {named(known) or 'none'}"
    )
    raise ConfigError(msg)

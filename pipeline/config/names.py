"""Names that fit together: those of columns, machines and sources in a detector file.

A column passes through frames, Parquet, Delta Lake and pyarrow, each of which reserves some names;
Delta Lake does not distinguish `T` from `t`. What would break there, perhaps months later, is
reported when the file is checked. These rules do not apply to old bundles and tables, which hold
what worked when they were made.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from pipeline.config.columns import LABEL_COLUMN, OPEN_CASE_COLUMN, Columns
from pipeline.config.detector import DetectorSpec
from pipeline.config.shown import shown

Location = tuple[int | str, ...]
Problem = tuple[Location, str]

_PARTITION = "date"
_SCORE = "score"
_RESERVED = {
    "time_fault": "in which a source says why a time cannot be trusted",
    **dict.fromkeys(
        ("__time_fault__", "__time_text__", "__filed_day__", "__absent__"),
        "in which a source says of a row what is wrong with it",
    ),
    LABEL_COLUMN: "in which a training window holds people's verdicts",
    OPEN_CASE_COLUMN: "in which a training window marks the rows of open cases",
}
_ANSWERS = {
    _SCORE: "a bundle's reference rows keep the score",
    "threshold": "`score` writes the threshold",
    "is_anomaly": "`score` writes its answer",
}
"""Columns beside time and machine."""

_PYARROW = re.compile(
    r"__(?:filename|fragment_index|batch_index|last_in_fragment|index_level_[0-9]+__)"
)
_LONGEST = 100
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # part of words in Persian, Hindi and other scripts


def problems_of(spec: DetectorSpec) -> Iterator[Problem]:
    """Each name of `spec` that cannot be kept, by its place in the file."""
    columns = spec.columns
    yield from _unfit(columns)
    yield from _twice_raw(columns)
    yield from _twice_stored(columns)
    yield from _twice_listed(columns)
    yield from _machines(columns)
    yield from _renamed(getattr(spec.source, "rename", {}), columns)


def declared(columns: Columns) -> Iterator[tuple[Location, str]]:
    """Every raw column that the file names, once for each place that declares it."""
    yield ("schema", "timestamp"), columns.timestamp
    if columns.entity is not None:
        yield ("schema", "entity"), columns.entity
    for name in columns.features:
        yield ("schema", "features", name), name
    for place, name in enumerate(columns.evaluation_only):
        yield ("schema", "evaluation_only", place), name


def _unfit(columns: Columns) -> Iterator[Problem]:
    for at, name in declared(columns):
        why = _why_unfit(name) or _why_reserved(name, is_key=at[1] in ("timestamp", "entity"))
        if why:
            yield at, f"{why}; {_fix(name)}"
    if _SCORE in columns.feature_columns:
        problem = (
            f"a feature called {_SCORE!r} would be confused with the score when drift is measured"
        )
        yield ("schema", "features", _SCORE), f"{problem}; {_fix(_SCORE)}"


def _why_unfit(name: str) -> str | None:
    if not name.strip():
        return "got an empty name"
    if name != name.strip():
        return f"got {shown(name)}, a name with blanks at an end"
    hidden = [c for c in name if unicodedata.category(c) in _INVISIBLE and c not in _JOINERS]
    if hidden:
        return f"got {shown(name)}, a name with the invisible character {shown(hidden[0])}"
    return None


def _why_reserved(name: str, *, is_key: bool) -> str | None:
    if name.lower() == _PARTITION:
        return (
            f"got {shown(name)}; {_PARTITION!r} is the partition column of the tables, in any case"
        )
    if name in _RESERVED:
        return f"got {shown(name)}, the name of a column {_RESERVED[name]}"
    if _PYARROW.fullmatch(name):
        return f"got {shown(name)}, the name of a column that pyarrow makes itself"
    if is_key and name in _ANSWERS:
        return f"got {shown(name)}, a column in which {_ANSWERS[name]}"
    return None


def _fix(name: str) -> str:
    if _PYARROW.fullmatch(name):  # it reads no file with such a column of its own
        return "give it another name where the data are made"
    better = {"date": "time", "score": "rating"}.get(name.lower(), "another_name")
    return (
        "choose another name and map the source's column to it, "
        f"`source.rename: {{{_quoted(name)}: {better}}}`"
    )


def _quoted(name: str) -> str:
    return name if name.isidentifier() and name.isascii() and len(name) <= 30 else shown(name)  # noqa: PLR2004 - fits one line


def _twice_raw(columns: Columns) -> Iterator[Problem]:
    """One raw column in two roles."""
    first: dict[str, str] = {}
    for at, name in declared(columns):
        role = str(at[1])
        if name in first and (first[name], role) != ("evaluation_only", "evaluation_only"):
            problem = f"got {shown(name)}, which schema.{first[name]} names already"
            yield at, f"{problem}; a column has one role: name another, or remove one of them"
        first.setdefault(name, role)


def _twice_stored(columns: Columns) -> Iterator[Problem]:
    """Columns of the tables that would have one name, in whatever case."""
    first: dict[str, tuple[str, str]] = {}
    for at, raw, name in _stored(columns):
        key = unicodedata.normalize("NFC", name).lower()
        before = first.setdefault(key, (raw, name))
        if before == (raw, name):  # reported as a repeat
            continue
        apart = "have one name" if before[1] == name else "differ by case only"
        problem = (
            f"{_made(raw, name)} and {_made(*before)} {apart}, and Delta Lake keeps one of them"
        )
        yield at, f"{problem}; rename one, and map the source's column to it in source.rename"


def _made(raw: str, name: str) -> str:
    return shown(name) if raw == name else f"{shown(name)} (of {shown(raw)})"


def _stored(columns: Columns) -> Iterator[tuple[Location, str, str]]:
    """Place, raw column and name of each column of `telemetry`; `x_vs_peers` is made of `x`."""
    for at, raw in declared(columns):
        if at[1] != "features":
            yield at, raw, raw
    for raw in columns.features:
        at = ("schema", "features", raw)
        yield from ((at, raw, name) for name in columns.own_columns(raw))
    for block, derived in enumerate(columns.derived):
        for place, raw in enumerate(derived.of):
            yield ("schema", "derived", block, "of", place), raw, f"{raw}_vs_peers"


def _twice_listed(columns: Columns) -> Iterator[Problem]:
    of = [
        (("schema", "derived", block, "of", place), name)
        for block, derived in enumerate(columns.derived)
        for place, name in enumerate(derived.of)
    ]
    yield from _repeats(of)
    for key in ("entities", "evaluation_only", "exclude_from_training"):
        names: Sequence[str] = getattr(columns, key)
        yield from _repeats((("schema", key, place), name) for place, name in enumerate(names))


def _repeats(named: Iterable[tuple[Location, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, name in named:
        if name in seen:
            yield at, f"got {shown(name)} a second time; name it once"
        seen.add(name)


def _machines(columns: Columns) -> Iterator[Problem]:
    if columns.entities and columns.entity is None:
        problem = "lists machines, and schema.entity names no column with the machine"
        yield ("schema", "entities"), f"{problem}; name it, or remove the list"
    for place, name in enumerate(columns.entities):
        if not name.strip():
            problem = f"got {shown(name)}, which is no machine's name; write one, or remove it"
            yield ("schema", "entities", place), problem


def _renamed(rename: dict[str, str], columns: Columns) -> Iterator[Problem]:
    known = {name for _, name in declared(columns)}
    unmapped = known - set(rename.values())
    first: dict[str, str] = {}
    for old, new in rename.items():
        at = ("source", "rename", old)
        if not old:
            yield at, "got an empty name of a source's column; write its name"
        if new in first:
            problem = f"maps {shown(old)} onto {shown(new)}, as it does {shown(first[new])}"
            yield at, f"{problem}; one column has one source: remove one of them"
        elif new not in known:
            yield from _missed(at, old, new, unmapped)
        first.setdefault(new, old)


def _missed(at: Location, old: str, new: str, unmapped: set[str]) -> Iterator[Problem]:
    """A name that schema lacks; a problem only if another one was meant."""
    problem = f"maps {shown(old)} onto {shown(new)}, which schema lacks"
    # Among so many names a typo is unlikely, and to compare each takes minutes.
    likely = sorted(unmapped) if len(unmapped) <= _LONGEST else []
    close = difflib.get_close_matches(new[:_LONGEST], likely, n=1, cutoff=0.75)
    if old in unmapped:
        yield at, f"{problem}; the source's name comes first: {_quoted(new)}: {_quoted(old)}"
    elif close:
        yield at, f"{problem}; did you mean {shown(close[0])}?"

"""The reference of a detector file, from the pydantic sections that read it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

from deploy.documents.keys import Key, keys_of
from deploy.documents.markdown import code, table
from pipeline.config import DetectorSpec
from pipeline.config.family import Fitted, TrainedModel, Windowed
from pipeline.config.section import Section

_SHARED: dict[type[Section], str] = {
    Fitted: "every family",
    TrainedModel: "families trained step by step",
    Windowed: "families that see windows",
}
"""Sections that no file has by themselves: the keys that several kinds have in common."""

_KIND_KEYS = ("kind", "family")
"""Keys that name the kind of a section."""

_MEANINGS: dict[tuple[type[Section], str], str] = {
    (DetectorSpec, "description"): "One sentence for people; Airflow shows it with the DAGs.",
    (DetectorSpec, "source"): "Where the raw rows come from.",
    (DetectorSpec, "model"): "The model family and its settings.",
    (DetectorSpec, "score"): "How a row and its reconstruction become one number.",
}
"""Meanings of keys whose section has no docstring of its own, or that have several sections."""

_PLAIN_MEANINGS = {
    "approval": "Who promotes a candidate that passed its gate: the DAG itself (none), or a person "
    "in Airflow (human).",
    "channel": "How a message is sent: to the task's log only, by mail, to Slack or to a webhook.",
    "delimiter": "What separates the columns.",
    "derived": "Features that are computed from channels.",
    "features": "The channels by name, each with its unit and its limits.",
    "maximum_bundle_mb": "Size of the bundle in megabytes.",
    "of": "The channels, by their names under `features`.",
    "query": "One SELECT with the bound parameters `:start` and `:end`, for one interval.",
    "timestamp": "Column with the time of a row.",
    "weight_decay": "Of the optimizer, AdamW.",
}
"""Meanings of keys whose field has no description, by name."""


def blocks() -> dict[str, str]:
    """The generated parts of `docs/detector-file.md`."""
    return {"sections": _overview(), "keys": "\n\n".join(_parts())}


def meaning(section: type[Section], key: Key) -> str:
    """The meaning of a key of a section; empty where it is not documented."""
    if key.field.description:
        return key.field.description
    if described := _MEANINGS.get((section, key.name)) or _PLAIN_MEANINGS.get(key.name):
        return described
    if key.name in _KIND_KEYS:
        return "Names this kind."
    return "" if len(key.sections) != 1 else _summary(key.sections[0])


def sections() -> Iterator[type[Section]]:
    """Every section that a detector file may have, the file itself first."""
    waiting: list[type[Section]] = [DetectorSpec]
    while waiting:
        section = waiting.pop(0)
        yield section
        waiting += [each for key in keys_of(section) for each in key.sections]


def _overview() -> str:
    rows = [
        [
            f"[`{key.name}`](#{key.name})" if key.sections else code(key.name),
            "yes" if key.field.is_required() else "",
            meaning(DetectorSpec, key),
        ]
        for key in keys_of(DetectorSpec)
    ]
    return table(["section or key", "required", "what it says"], rows)


def _parts() -> Iterator[str]:
    for key in keys_of(DetectorSpec):
        if not key.sections:
            continue
        yield f"### `{key.name}`"
        if len(key.sections) == 1:
            yield from _section(key.sections[0], key.name)
        else:
            yield from _kinds(key)


def _section(section: type[Section], path: str) -> Iterator[str]:
    keys = keys_of(section)
    yield _description(section)
    yield _table(section, keys)
    for key in keys:
        for inner in key.sections:
            yield f"#### Each of `{path}.{key.name}`"
            yield from _section(inner, f"{path}.{key.name}")


def _kinds(key: Key) -> Iterator[str]:
    by = next(name for name in _KIND_KEYS if name in key.sections[0].model_fields)
    without = "" if key.field.is_required() else f" Without `{by}` it is the first."
    count = f"One of {len(key.sections)} kinds, named by `{by}`."
    yield f"{meaning(DetectorSpec, key)} {count}{without}"
    for base in _shared(key.sections):
        yield f"#### Keys of {_SHARED[base]}"
        yield _description(base)
        yield _table(base, _own(base))
    for kind in key.sections:
        (name,) = (each.accepts for each in keys_of(kind) if each.name == by)
        yield f"#### `{by}: {name.strip('`')}`"
        yield _description(kind)
        if bases := list(_shared([kind])):
            yield f"Besides its own keys it has those of {_linked(bases)}."
        yield _table(kind, _own(kind))


def _shared(kinds: Iterable[type[Section]]) -> list[type[Section]]:
    """The sections from which these kinds inherit keys, the most general first."""
    return [base for base in _SHARED if any(issubclass(kind, base) for kind in kinds)]


def _own(section: type[Section]) -> list[Key]:
    """The keys that a section declares itself, or gives another default."""
    declared = inspect.get_annotations(section)
    return [key for key in keys_of(section) if key.name in declared]


def _linked(bases: Iterable[type[Section]]) -> str:
    titles = [_SHARED[base] for base in bases]
    return " and of ".join(
        f"[{title}](#keys-of-{title.replace(' ', '-').lower()})" for title in titles
    )


def _table(section: type[Section], keys: Iterable[Key]) -> str:
    rows = [
        [code(key.name), key.accepts, key.default, key.limits, meaning(section, key)]
        for key in keys
    ]
    return table(["key", "type", "default", "limits", "meaning"], rows)


def _summary(section: type[Section]) -> str:
    return _description(section).partition("\n\n")[0]


def _description(section: type[Section]) -> str:
    """The docstring of a section as Markdown, without the list of Python attributes."""
    text = (inspect.getdoc(section) or "").partition("\n\nAttributes:")[0]
    return "\n\n".join(_paragraph(each) for each in text.split("\n\n"))


def _paragraph(text: str) -> str:
    """A paragraph; a table of reStructuredText stays as it is."""
    return f"```\n{text}\n```" if text.startswith("===") else " ".join(text.split())

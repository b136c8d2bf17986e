"""Frozen dataclasses as plain JSON and back: the form in which tasks pass records on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter

Record = TypeVar("Record")


def to_json(record: object) -> dict[str, Any]:
    """The dataclass `record`, with all it holds, as a dict that `json.dumps` accepts."""
    plain: dict[str, Any] = TypeAdapter(type(record)).dump_python(record, mode="json")
    return plain


def from_json(kind: type[Record], payload: Mapping[str, Any]) -> Record:
    """The record of type `kind` that `to_json` made `payload` from.

    Raises:
        pydantic.ValidationError: `payload` does not describe a `kind`.
    """
    return TypeAdapter(kind).validate_python(dict(payload))

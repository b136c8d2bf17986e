"""Frozen dataclasses as plain JSON and back: the form in which tasks pass records on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter

Record = TypeVar("Record")


class Payload(dict[str, Any], Generic[Record]):
    """The JSON of a `Record`, as one task returns it and the next is given it.

    Only a name for type checkers, so that a task is given the record that it reads, and the shape
    is stated once, in the dataclass: at run time it is a plain dict, all that Airflow can keep.
    """


def to_json(record: Record) -> Payload[Record]:
    """The dataclass `record`, with all it holds, as a dict that `json.dumps` accepts."""
    plain = TypeAdapter(type(record)).dump_python(record, mode="json")
    return cast("Payload[Record]", plain)


def from_json(kind: type[Record], payload: Mapping[str, Any]) -> Record:
    """The record of type `kind` that `to_json` made `payload` from.

    Raises:
        pydantic.ValidationError: `payload` does not describe a `kind`.
    """
    return TypeAdapter(kind).validate_python(dict(payload))

"""What a graph says of itself: its family and its loss, written into the graph as metadata.

The same loss trained the network and adds up its score. A graph beside facts that tell of another
one would be scored, explained and trained on wrongly, and no number would show it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.detector.fitted import Facts
from pipeline.errors import BundleError

_FAMILY, _LOSS = "plimsoll.family", "plimsoll.loss"
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2  # field numbers in onnx.proto: ModelProto, its entries
_WITH_LENGTH = 2  # protobuf's wire type of texts and messages


def metadata_of(family: str, loss: str) -> dict[str, str]:
    """The metadata of a graph."""
    return {_FAMILY: family, _LOSS: loss}


def with_metadata(graph: bytes, marks: Mapping[str, str]) -> bytes:
    """The serialised `graph` with `marks` as metadata.

    A protobuf message grows by fields put behind it, so neither the package onnx nor a second
    parse of the graph is needed.
    """
    entries = [
        _field(_KEY, key.encode()) + _field(_VALUE, value.encode())
        for key, value in sorted(marks.items())
    ]
    return graph + b"".join(_field(_METADATA_PROPS, entry) for entry in entries)


def refuse_other_metadata(facts: Facts, marks: Mapping[str, str]) -> None:
    """Let a graph pass that is of the family and the loss that the facts tell of.

    Raises:
        BundleError: graph, facts and settings disagree, or the graph says nothing.
    """
    for what, told, wanted in (
        ("family in the graph", marks.get(_FAMILY), facts.family),
        ("loss in the graph", marks.get(_LOSS), facts.loss),
        ("loss in the settings", facts.settings.get("loss"), facts.loss),
    ):
        if told != wanted:
            msg = (
                f"The {what} is {told!r}, and the facts of the fit say {wanted!r}; both must be "
                "the same, as the loss of the training is that of the score. The parts are of "
                "different fits: fetch the bundle again, or fit again."
            )
            raise BundleError(msg)


def _field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message, with its length."""
    return _varint(number << 3 | _WITH_LENGTH) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """A number in groups of seven bits, lowest first; all but the last have the top bit set."""
    groups = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])

"""The family and the loss of a graph, written into it as metadata.

The loss that trained the network is also the one in its score. With facts that name another loss,
a graph would be scored, explained and fine-tuned wrongly, and no number would show it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.detector.models.fitted import Facts
from pipeline.errors import BundleError

_FAMILY, _LOSS = "plimsoll.family", "plimsoll.loss"
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2  # field numbers in onnx.proto: ModelProto, its entries
_WITH_LENGTH = 2  # protobuf's wire type of texts and messages


def metadata_of(family: str, loss: str) -> dict[str, str]:
    """The metadata of a graph."""
    return {_FAMILY: family, _LOSS: loss}


def with_metadata(graph: bytes, metadata: Mapping[str, str]) -> bytes:
    """The serialised `graph` with `metadata` in it.

    Fields can be appended to a protobuf message, so neither the package onnx nor a second parse of
    the graph is needed.
    """
    entries = [
        _field(_KEY, key.encode()) + _field(_VALUE, value.encode())
        for key, value in sorted(metadata.items())
    ]
    return graph + b"".join(_field(_METADATA_PROPS, entry) for entry in entries)


def refuse_other_metadata(facts: Facts, metadata: Mapping[str, str]) -> None:
    """Refuse a graph of another family or loss than the facts name.

    Raises:
        BundleError: graph, facts and settings disagree, or the graph has no metadata.
    """
    for what, stated, wanted in (
        ("family in the graph", metadata.get(_FAMILY), facts.family),
        ("loss in the graph", metadata.get(_LOSS), facts.loss),
        ("loss in the settings", facts.settings.get("loss"), facts.loss),
    ):
        if stated != wanted:
            msg = (
                f"The {what} is {stated!r}, and the facts of the fit say {wanted!r}; both must be "
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

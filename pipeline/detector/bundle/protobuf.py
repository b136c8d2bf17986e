"""Protobuf messages as numbered fields, read without a schema and without another package.

Source: Protocol Buffers, "Encoding". Groups, which are obsolete, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

_NUMBER, _EIGHT_BYTES, _WITH_LENGTH, _FOUR_BYTES = 0, 1, 2, 5  # wire types
_FIXED = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_MORE, _LOWER_BITS = 0x80, 0x7F  # of a byte in a number: another byte follows; its value
_LONGEST = 63  # shift of the last byte of a number, in bits

Value = int | memoryview
"""A number, or the bytes of a text, a message or packed numbers."""


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and content of each field, in order.

    Raises:
        ValueError: the bytes are not a message.
    """
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        field, wire = key >> 3, key & 7
        if wire == _NUMBER:
            value, at = _number(message, at)
            yield field, value
            continue
        size, at = _number(message, at) if wire == _WITH_LENGTH else (_FIXED.get(wire, -1), at)
        if not 0 <= size <= len(message) - at:
            msg = f"field {field} of kind {wire} has {size:,} bytes, {len(message) - at:,} are left"
            raise ValueError(msg)
        yield field, message[at : at + size]
        at += size


def numbers(value: Value) -> list[int]:
    """The whole numbers of a repeated field: one, or packed; of 64 bits, negative ones too.

    Raises:
        ValueError: they are cut short.
    """
    if isinstance(value, int):
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        number, at = _number(value, at)
        found.append(_signed(number))
    return found


def message(value: Value) -> memoryview:
    """The bytes of a field that holds a message.

    Raises:
        ValueError: it holds a number.
    """
    if isinstance(value, int):
        msg = "a number where a message belongs"
        raise ValueError(msg)  # noqa: TRY004 - the bytes are wrong, not their type
    return value


def text(value: Value) -> str:
    """The text of a field.

    Raises:
        ValueError: it holds a number.
    """
    return bytes(message(value)).decode(errors="replace")


def _number(content: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where it ends."""
    number = shift = 0
    while True:
        if at >= len(content) or shift > _LONGEST:
            msg = "a number that is cut short or longer than 64 bits"
            raise ValueError(msg)
        byte = content[at]
        number |= (byte & _LOWER_BITS) << shift
        at, shift = at + 1, shift + 7
        if not byte & _MORE:
            return number, at


def _signed(number: int) -> int:
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number

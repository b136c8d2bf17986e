"""The kinds of columns in words."""

from __future__ import annotations


def kind_of(arrow_type: str) -> str:
    """The kind of a column in words; all numbers are of one kind."""
    kinds = {"bool": "true or false", "string": "text", "timestamp": "times", "date": "days"}
    return next((word for name, word in kinds.items() if name in arrow_type), "numbers")

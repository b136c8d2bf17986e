"""Blamed channels in one cell of a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipeline.detector.attribution import Blame

_DIGITS = 4


def blame_as_text(features: Sequence[Blame]) -> str:
    """`[[channel, times usual], ...]` with four digits, so that the text is reproducible."""
    return json.dumps([[name, float(f"{times:.{_DIGITS}g}")] for name, times in features])


def blame_from_text(text: Any) -> tuple[Blame, ...]:
    """The inverse of `blame_as_text`; empty for a null."""
    held = json.loads(text) if isinstance(text, str) else []
    return tuple(Blame(str(name), float(times)) for name, times in held)

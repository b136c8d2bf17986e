"""The checks of the gate by name, with the question that each asks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from deploy.documents.markdown import code, table
from pipeline.gate import CHECKS


def blocks() -> dict[str, str]:
    """The generated parts of `docs/architecture.md`."""
    return {"checks": _questions(CHECKS)}


def _questions(checks: Mapping[str, Callable[..., Any]]) -> str:
    rows = [[code(name), _question(check)] for name, check in checks.items()]
    return table(["check", "question"], rows)


def _question(check: Callable[..., Any]) -> str:
    return (inspect.getdoc(check) or "").partition("\n\n")[0]

"""The checks of the gate by name: the candidates that each is for, and its question."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from deploy.documents.markdown import code, table
from pipeline.gate import CHECKS, KINDS, GateCheck


def blocks() -> dict[str, str]:
    """The generated parts of `docs/architecture.md`."""
    return {"checks": _questions(CHECKS)}


def _questions(checks: Mapping[str, GateCheck[Any]]) -> str:
    rows = [[code(name), _kinds(check), _question(check.ask)] for name, check in checks.items()]
    return table(["check", "candidate", "question"], rows)


def _kinds(check: GateCheck[Any]) -> str:
    return ", ".join(kind for kind in KINDS if check.is_for(kind))


def _question(check: Callable[..., Any]) -> str:
    return (inspect.getdoc(check) or "").partition("\n\n")[0]

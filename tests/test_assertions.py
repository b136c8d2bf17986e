"""Every test asserts something: one that only calls the code passes whatever the code returns."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
EXPECTS = {"raises", "warns"}
"""Functions of pytest that fail where nothing happens."""


def asserts(test: ast.AST) -> bool:
    """Whether `test` itself says what must hold; what its helpers assert does not count.

    It does so by `assert`, by a call whose name begins with `assert` (numpy's and pandas'), or by
    one of `EXPECTS`. An `assert` of a constant says nothing.
    """
    return any(
        (isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant))
        or (isinstance(node, ast.Call) and _expects(node.func))
        for node in ast.walk(test)
    )


def _expects(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        owner = function.value
        of_pytest = isinstance(owner, ast.Name) and owner.id == "pytest"
        return function.attr.startswith("assert") or (of_pytest and function.attr in EXPECTS)
    return isinstance(function, ast.Name) and function.id.startswith("assert")


def collected(path: Path) -> dict[str, ast.AST]:
    return {
        f"{path.relative_to(TESTS)}:{node.lineno} {node.name}": node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }


def test_every_test_asserts_something():
    found = {
        name: test for path in TESTS.rglob("test_*.py") for name, test in collected(path).items()
    }

    assert len(found) > 2000
    assert [name for name, test in sorted(found.items()) if not asserts(test)] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("assert found == 1", True),
        ("np.testing.assert_allclose(found, 1)", True),
        ("assert_frame_equal(found, other)", True),
        ("with pytest.raises(ValueError): made()", True),
        ("made()", False),
        ("assert True", False),
        ("database.raises(1)", False),
    ],
)
def test_a_call_alone_is_no_assertion(body, expected):
    assert asserts(ast.parse(f"def test_it():\n    {body}")) is expected

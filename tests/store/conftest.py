"""The deployment of the tests of steps, for tables that a step has filled."""

from tests.steps.conftest import here, house

__all__ = ["here", "house"]

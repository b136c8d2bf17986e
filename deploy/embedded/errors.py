"""The error of the embedded stack, for the person at the command line."""

from __future__ import annotations

from pipeline.errors import PlimsollError


class StackError(PlimsollError):
    """The embedded stack cannot do what was asked; the message names the cause and the fix."""

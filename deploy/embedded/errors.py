"""The error that a person at the command line gets to read."""

from __future__ import annotations

from pipeline.errors import PlimsollError


class StackError(PlimsollError):
    """The embedded stack cannot do what was asked; the message names the cause and the mend."""

"""The error that the person who backs up or restores gets to read."""

from __future__ import annotations

from pipeline.errors import PlimsollError


class BackupError(PlimsollError):
    """No backup was made, or nothing was restored; the message names the cause and the mend."""

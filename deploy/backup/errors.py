"""The error of backup and restore, for the person who runs them."""

from __future__ import annotations

from pipeline.errors import PlimsollError


class BackupError(PlimsollError):
    """No backup was made, or nothing was restored; the message names the cause and the fix."""

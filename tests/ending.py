"""The end of a server that a test has started."""

from __future__ import annotations

import subprocess

_PATIENCE_S = 30


def end(server: subprocess.Popen[bytes]) -> None:
    """Ask it to stop; end it if it does not in time."""
    server.terminate()
    try:
        server.wait(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()

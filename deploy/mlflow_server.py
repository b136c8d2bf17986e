"""`mlflow server` as one process: `python -m deploy.mlflow_server ARGUMENTS`.

MLflow's command starts the web server as a child and only waits for it. Killed, it leaves the
child behind with the port, and whatever restarts it fails for ever; so here the web server takes
the place of the command, which also frees the command's 170 MB.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def become(command: Sequence[str], *, extra_env: Mapping[str, str], **_: object) -> NoReturn:
    """Replace this process by `command`, with what MLflow would have given its child."""
    os.execve(command[0], list(command), {**os.environ, **extra_env})


def main() -> None:
    """Run MLflow's own command with its own start of a child replaced."""
    import mlflow.cli
    import mlflow.server

    if not hasattr(mlflow.server, "_exec_cmd"):
        raise SystemExit("This MLflow starts its web server in another way; see mlflow_server.py.")
    mlflow.server._exec_cmd = become  # noqa: SLF001 - there is no public way
    mlflow.cli.cli(["server", *sys.argv[1:]])


if __name__ == "__main__":
    main()

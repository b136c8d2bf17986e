"""`mlflow server` as one process, behind a login: `python -m deploy.mlflow_server ARGUMENTS`.

MLflow's command starts the web server as a child and only waits for it. Killed, it leaves the
child behind with the port, and every restart fails; so here the web server replaces the
command, which also frees the command's 170 MB. It serves MLflow's application
behind the login of `deploy.mlflow_login`: MLflow itself has no port that could bypass it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from deploy.mlflow_login.credentials import NoLoginError, read_credentials

PLAIN = "mlflow.server.fastapi_app:app"
BEHIND_LOGIN = "deploy.mlflow_login.app:app"


def become(command: Sequence[str], *, extra_env: Mapping[str, str], **_: object) -> NoReturn:
    """Replace this process by `command`, with the variables that MLflow would set for its child."""
    words = behind_login(command)
    os.execve(words[0], words, {**os.environ, **extra_env})


def behind_login(command: Sequence[str]) -> list[str]:
    """The command that serves MLflow's application, changed to serve it behind the login.

    Raises:
        SystemExit: it serves something else, which would be open to everybody.
    """
    if command[-1] != PLAIN:
        raise SystemExit(
            f"{command[-1]} would be served without a login. Leave out --app-name, --gunicorn-opts "
            "and --waitress-opts; if none of them was given, this MLflow starts its web server in "
            "another way: see mlflow_server.py."
        )
    return [*command[:-1], BEHIND_LOGIN]


def main() -> None:
    """Run MLflow's own command with its own start of a child replaced."""
    try:
        read_credentials(os.environ)
    except NoLoginError as error:
        raise SystemExit(str(error)) from None
    import mlflow.cli  # noqa: PLC0415 - 6 s, after the login is known to be there
    import mlflow.server  # noqa: PLC0415 - likewise

    if not hasattr(mlflow.server, "_exec_cmd"):
        raise SystemExit("This MLflow starts its web server in another way; see mlflow_server.py.")
    mlflow.server._exec_cmd = become  # noqa: SLF001 - there is no public way
    mlflow.cli.cli(["server", *sys.argv[1:]])


if __name__ == "__main__":
    main()

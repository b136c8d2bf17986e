"""Commands for the user to type, which can be pasted as they are.

They are meant for a plain shell in the root of the repository, with no environment activated, or
for the command that the deployment names instead (`PLIMSOLL_COMMAND`).
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import settings
from pipeline.dag_ids import dag_id
from pipeline.settings import REPOSITORY, Deployment, home_prefix

_AIRFLOW_IS_HERE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_OPTIONS = {
    "from_day": "--from",
    "to_day": "--to",
    "partition": "--day",
    "target": "--target",
    "reason": "--reason",
    "only_if_live": "--only-if-live",
}
"""The parameters of DAGs, as options of `run`."""


@dataclass(frozen=True)
class Shell:
    """The beginning of commands.

    Attributes:
        command: this command line, `.venv/bin/python -m pipeline` for instance.
        airflow: Airflow's own; None: it cannot be reached from here.
    """

    command: str
    airflow: str | None

    def plimsoll(self, *words: str) -> str:
        """`words` behind this command line."""
        return f"{self.command} {shlex.join(words)}"

    def in_airflow(self, *words: str) -> str | None:
        """`words` behind Airflow's command line; None: it cannot be reached from here."""
        return f"{self.airflow} {shlex.join(words)}" if self.airflow else None

    def start(self, detector: str, verb: str, *, paused: bool = False, **conf: str) -> str:
        """Start a run of `<detector>__<verb>` with `conf`: in Airflow, or without it by `run`.

        A run of a DAG that is or may be `paused` would wait silently, so it is unpaused first.
        """
        name = dag_id(detector, verb)
        given = ("--conf", json.dumps(conf)) if conf else ()
        triggered = self.in_airflow("dags", "trigger", name, *given)
        if triggered is None:
            return self.plimsoll("run", verb, detector, *_options(conf))
        return f"{self.in_airflow('dags', 'unpause', name)} && {triggered}" if paused else triggered


def _options(conf: Mapping[str, str]) -> Iterator[str]:
    for name, value in conf.items():
        if name != "work":
            yield from (_OPTIONS[name], value)
        elif value == "score again":
            yield "--again"


def this_shell(here: Deployment) -> Shell:
    """The beginning of the commands of this deployment."""
    python = python_of(here) if here.stack else interpreter()
    airflow = here.airflow_command
    if airflow is None and here.stack is not None:
        # Airflow itself would look for a database of its own in the caller's home.
        airflow = f"{python} -m deploy.embedded run airflow"
    elif airflow is None and settings.named(_AIRFLOW_IS_HERE):
        airflow = "airflow"
    return Shell(here.command or f"{python} -m pipeline", airflow)


def python_of(here: Deployment) -> str:
    """The interpreter, about the stack in `here.home` wherever it is typed."""
    return f"{home_prefix(here.home)}{interpreter()}"


def interpreter() -> str:
    """This interpreter, as it is typed in the root of the repository."""
    own = Path(sys.prefix)
    usual = REPOSITORY / ".venv"
    if usual.exists() and own.samefile(usual):
        return ".venv/bin/python"
    found = shutil.which("python")
    same = found is not None and Path(found) == Path(sys.executable)
    return "python" if same else shlex.quote(sys.executable)

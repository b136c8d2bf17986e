"""The folders of the embedded stack: all its state is in one folder."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import StackError
from pipeline.settings import REPOSITORY

# A Unix socket's path has 104 bytes on macOS and 108 on Linux; the supervisor first binds
# "<path>.<pid>", which takes up to 8 of them.
LONGEST_SOCKET = 95
# Expansion and comments in supervisord.conf; there is no way to quote them in every place.
UNQUOTABLE = frozenset("%;#")


@dataclass(frozen=True)
class Layout:
    """The folders of one stack; `home` alone decides which stack is meant.

    Attributes:
        home: everything the stack writes.
        repository: the code that its tasks import.
        detectors: folder of the detector files.
        dags: folder of DAG files beside those of the detectors, if there are any.
    """

    home: Path
    repository: Path
    detectors: Path
    dags: Path | None

    @property
    def plugins(self) -> Path:
        """Airflow plugins of this repository."""
        return self.repository / "plugins"

    @property
    def postgres(self) -> Path:
        """Parent of the database cluster and of the record of its schema versions."""
        return self.home / "postgres"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.postgres / "data"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.home / "airflow"

    @property
    def mlflow(self) -> Path:
        """Artifacts, served through the MLflow server."""
        return self.home / "mlflow"

    @property
    def lake(self) -> Path:
        """The Delta tables."""
        return self.home / "lake"

    @property
    def cache(self) -> Path:
        """Downloads that can be fetched again."""
        return self.home / "cache"

    @property
    def data(self) -> Path:
        """The root of relative source paths in detector files; filled by its owner."""
        return self.home / "data"

    @property
    def logs(self) -> Path:
        """One log for each service, and Airflow's task logs."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Files of the running stack: supervisor's files and `stack.json`."""
        return self.home / "run"

    @property
    def logins(self) -> Path:
        """The file with the logins of Airflow and MLflow."""
        return self.home / "logins.txt"

    @property
    def socket(self) -> Path:
        """Socket of the supervisor; in the temporary folder when `home` is too deep for one."""
        inside = self.run / "supervisor.sock"
        if len(str(inside).encode()) <= LONGEST_SOCKET:
            return inside
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"plimsoll-{digest}.sock"

    def log_of(self, program: str) -> Path:
        """The log of one supervised program."""
        return self.logs / f"{program}.log"


def find_layout(environment: Mapping[str, str]) -> Layout:
    """The layout that `PLIMSOLL_HOME`, `PLIMSOLL_DETECTORS` and `PLIMSOLL_DAGS` ask for.

    Raises:
        StackError: the path of the home holds a character that the supervisor does not accept.
    """

    def named(variable: str) -> Path | None:
        path = environment.get(variable)
        return Path(path).expanduser().resolve() if path else None

    home = named("PLIMSOLL_HOME") or REPOSITORY / ".plimsoll"
    if bad := UNQUOTABLE & set(str(home)):
        raise StackError(
            f"The state cannot be in {home}: supervisord does not accept {' '.join(sorted(bad))} "
            "in a path. Set PLIMSOLL_HOME to a folder without it."
        )
    return Layout(
        home=home,
        repository=REPOSITORY,
        detectors=named("PLIMSOLL_DETECTORS") or REPOSITORY / "detectors",
        dags=named("PLIMSOLL_DAGS"),
    )


def create_folders(layout: Layout) -> None:
    """Create every folder of `layout`, all but the cluster's for their owner only."""
    if not layout.home.exists():
        layout.home.mkdir(parents=True)
        layout.home.chmod(0o700)
    for folder in (
        layout.postgres,
        layout.airflow,
        layout.mlflow,
        layout.lake,
        layout.cache,
        layout.data,
        layout.logs,
        layout.run,
    ):
        # A home that somebody else made may be open to all. PostgreSQL guards its own folder.
        folder.mkdir(exist_ok=True, mode=0o755 if folder == layout.postgres else 0o700)
    layout.logs.chmod(0o700)  # an older Plimsoll left it open

"""The record of one stack: its folders, ports and secrets, and values derived from them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.layout import Layout
from deploy.embedded.ports import HOST, Ports
from pipeline.private_file import write_private

LOGIN = "admin"
"""The login name of the user of the stack, in Airflow and in MLflow."""
ADMINISTRATOR = "postgres"
"""The superuser of the cluster: only `up` and the backup log in as it."""
DATABASES = ("airflow", "mlflow", "plimsoll")
"""The databases; each is owned by a role of the same name."""


@dataclass(frozen=True)
class Secrets:
    """Secrets that stay the same from one start to the next, readable by the owner only.

    Attributes:
        postgres_password: of the administrator.
        airflow_password: of the user of the stack, in Airflow and in MLflow.
        mlflow_token: the token of programs for MLflow.
        role_passwords: of the roles that own the databases. This and the one before are empty in
            the record of a stack that an older Plimsoll started, until `up` generates them.
    """

    postgres_password: str
    airflow_password: str
    jwt_secret: str
    api_secret: str
    fernet_key: str
    mlflow_token: str = ""
    role_passwords: Mapping[str, str] = field(default_factory=dict)

    @property
    def are_complete(self) -> bool:
        """Whether every one was generated."""
        return all(asdict(self).values())


@dataclass(frozen=True)
class Stack:
    """One embedded stack, running or not."""

    layout: Layout
    ports: Ports
    secrets: Secrets

    @property
    def airflow_url(self) -> str:
        """Root of Airflow's UI and REST API."""
        return f"http://{HOST}:{self.ports.airflow}"

    @property
    def mlflow_url(self) -> str:
        """Root of the MLflow server, for clients."""
        return f"http://{HOST}:{self.ports.mlflow}"

    @property
    def mlflow_page(self) -> str:
        """The page a person opens: MLflow hides the model registry without this parameter."""
        return f"{self.mlflow_url}/#/experiments?workflowType=machine_learning"

    @property
    def has_roles(self) -> bool:
        """Whether each database has a role of its own, or `up` has yet to make them."""
        return set(DATABASES) <= self.secrets.role_passwords.keys()

    def dsn(self, database: str, *, driver: str = "") -> str:
        """URL of a database as its own role; `driver` as SQLAlchemy wants it, "+psycopg2".

        Raises:
            StackError: there are no such roles yet.
        """
        if not self.has_roles:
            raise StackError(
                f"The stack in {self.layout.home} was started by an older Plimsoll, whose services "
                "log in as the administrator of PostgreSQL. `make up` gives them roles of their "
                "own; it loses nothing, and restarts a stack that runs."
            )
        return self._url(driver, database, self.secrets.role_passwords[database], database)

    def administrator_dsn(self, database: str, *, role: str = ADMINISTRATOR) -> str:
        """URL of a database as the superuser, who is called `role`."""
        return self._url("", role, self.secrets.postgres_password, database)

    def _url(self, driver: str, role: str, password: str, database: str) -> str:
        return f"postgresql{driver}://{role}:{password}@{HOST}:{self.ports.postgres}/{database}"


def new_secrets() -> Secrets:
    """Fresh random secrets; URL-safe, so that a DSN needs no quoting."""
    return Secrets(
        postgres_password=_new_password(),
        airflow_password=secrets.token_urlsafe(9),
        jwt_secret=secrets.token_hex(64),  # HS512 wants 64 bytes
        api_secret=secrets.token_hex(32),
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        mlflow_token=secrets.token_urlsafe(32),
        role_passwords={name: _new_password() for name in DATABASES},
    )


def completed(known: Secrets) -> Secrets:
    """`known` with a new secret for each that its stack does not have yet."""
    missing = [name for name, value in asdict(known).items() if not value]
    return replace(known, **{name: getattr(new_secrets(), name) for name in missing})


def load_stack(layout: Layout) -> Stack | None:
    """The recorded stack of `layout`, None before its first start.

    Raises:
        StackError: the record cannot be read.
    """
    path = _record(layout)
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text())
        return Stack(layout, Ports(**record["ports"]), Secrets(**record["secrets"]))
    except (ValueError, KeyError, TypeError) as error:
        expected = ", ".join(field.name for field in fields(Secrets))
        raise StackError(
            f"{path} cannot be read ({error}). It holds the ports and the secrets ({expected}); "
            f"restore it, or remove {layout.home} to begin again without the stored runs."
        ) from error


def save_stack(stack: Stack) -> None:
    """Write what `load_stack` reads, with the URLs beside it for other programs."""
    record = {
        "ports": asdict(stack.ports),
        "urls": {"airflow": stack.airflow_url, "mlflow": stack.mlflow_page},
        "login": LOGIN,
        "secrets": asdict(stack.secrets),
    }
    write_private(_record(stack.layout), json.dumps(record, indent=2) + "\n")


def _record(layout: Layout) -> Path:
    return layout.run / "stack.json"


def _new_password() -> str:
    return secrets.token_urlsafe(24)

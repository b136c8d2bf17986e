"""A deployment backed up, destroyed and restored: real PostgreSQL, S3, MLflow, a real champion."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pandas as pd
import psycopg2
import pytest
import yaml

from deploy import ed25519
from deploy.backup import __main__ as command
from deploy.embedded import postgres
from deploy.embedded.unprivileged import as_unprivileged, give_to_server
from pipeline import ledger, settings, tables
from pipeline.registry.connection import connect
from pipeline.scoring import score_frame
from pipeline.settings import REPOSITORY
from pipeline.steps import ingestion, live
from pipeline.steps.scoring import score_days
from pipeline.steps.trust import faults_of
from pipeline.tables import Table
from pipeline.tables.schemas import TABLES
from tests import ledger_entries
from tests.builders import days, make_frame, make_spec
from tests.integration.conftest import _free_ports
from tests.mlflow_server import LOGIN
from tests.steps.plant_world import AS_OF, HISTORY, SMALL, promote_trained

pytestmark = pytest.mark.integration

ROLES = ("airflow", "celery", "mlflow", "plimsoll", "plimsoll_ledger", "plimsoll_reader")
LAST_DAYS = days(HISTORY)[-3:]
REJECTED = ledger.Decision(
    action="rejection",
    detector="pumps",
    version=2,
    replaced=None,
    who="test",
    why="a second link for the chain",
    run_id="r2",
    card_sha256="0" * 64,
    decided_at="2024-03-10T00:00:00+00:00",
)
WRITABLE = "SET default_transaction_read_only = off"
METRICS = "SELECT readings::text FROM readings ORDER BY 1"


@dataclass(frozen=True)
class Database:
    """A PostgreSQL as docker-compose.yml makes it: `postgres` owns the server, init.sh the rest."""

    port: int

    def dsn(self, name: str, role: str = "postgres") -> str:
        return f"postgresql://{role}:secret@127.0.0.1:{self.port}/{name}"

    def do(self, name: str, *statements: str, role: str = "postgres") -> list[Any]:
        with closing(psycopg2.connect(self.dsn(name, role))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    cluster, port = tmp_path / "cluster", _free_ports()[0]
    cluster.mkdir(mode=0o700)
    password = tmp_path / "password"
    password.write_text("secret\n")
    for path in (cluster, password):
        give_to_server(path)
    started = ["-D", str(cluster), "-h", "127.0.0.1", "-p", str(port)]
    initdb = [
        *(str(postgres.server_program("initdb")), "-D", str(cluster), "-U", "postgres"),
        *("-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
    ]
    become = as_unprivileged(initdb, cluster, password)
    subprocess.run(become, check=True, capture_output=True, cwd="/")
    serve = [str(postgres.server_program("postgres")), *started, "-c", "unix_socket_directories="]
    with (tmp_path / "postgres.log").open("w") as log:
        server = subprocess.Popen(as_unprivileged(serve, cluster), stdout=log, stderr=log, cwd="/")
    made = Database(port)
    try:
        patiently(lambda: made.do("postgres", "SELECT 1"), psycopg2.OperationalError)
        make_roles(made)
        yield made
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)


def make_roles(database: Database) -> None:
    """Run the script that the postgres service runs when it makes its cluster."""
    psql = postgres.binary("psql").parent
    environment = {
        "PATH": f"{psql}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(database.port),
        "PGPASSWORD": "secret",
        **{f"{role.upper()}_DB_PASSWORD": "secret" for role in ROLES},
    }
    script = REPOSITORY / "deploy" / "postgres" / "init.sh"
    subprocess.run(["bash", str(script)], env=environment, check=True)


def patiently(attempt: Any, error: type[Exception], limit_s: float = 240.0) -> Any:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return attempt()
        except error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def buckets(s3_root: str) -> dict[str, str]:
    """Three buckets of their own: what a restore empties is a whole bucket."""
    assert s3_root  # the AWS_* variables are set
    client = boto3.client("s3")
    names = {name: f"{name}-{uuid.uuid4().hex[:8]}" for name in ("lake", "mlflow", "backups")}
    for name in names.values():
        client.create_bucket(Bucket=name)
    return {name: f"s3://{bucket}" for name, bucket in names.items()}


@dataclass(frozen=True)
class Deployment:
    database: Database
    buckets: dict[str, str]
    folder: Path
    mlflow_port: int

    @contextmanager
    def serving_mlflow(self) -> Iterator[None]:
        words = [sys.executable, "-m", "deploy.mlflow_server", "--host", "127.0.0.1"]
        words += ["--port", str(self.mlflow_port), "--workers", "1"]
        words += ["--artifacts-destination", self.buckets["mlflow"]]
        environment = {
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": self.database.dsn("mlflow", "mlflow").replace(
                "postgresql:", "postgresql+psycopg2:"
            ),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **LOGIN,
            "PYTHONPATH": str(REPOSITORY),
        }
        environment.pop("MLFLOW_TRACKING_URI")
        with (self.folder / "mlflow.log").open("a") as log:
            server = subprocess.Popen(
                words, env=environment, stdout=log, stderr=log, cwd=self.folder
            )
        try:
            url = f"http://127.0.0.1:{self.mlflow_port}/health"
            patiently(lambda: httpx.get(url).raise_for_status(), httpx.HTTPError)
            yield
        finally:
            server.terminate()
            server.wait(timeout=30)

    def destroy(self) -> None:
        """Databases dropped, buckets emptied, every cache gone."""
        for name in ("airflow", "celery", "mlflow", "plimsoll"):
            self.database.do("postgres", f"DROP DATABASE {name} WITH (FORCE)")
        for name in ("lake", "mlflow"):
            bucket = boto3.resource("s3").Bucket(self.buckets[name].removeprefix("s3://"))
            bucket.objects.all().delete()
            assert not list(bucket.objects.limit(1))
        shutil.rmtree(settings.load().cache)

    def content(self) -> dict[str, pd.DataFrame]:
        root = settings.load().storage
        return {name: tables.read(Table(root, "pumps", name), keep_date=True) for name in TABLES}


@pytest.fixture
def deployment(
    database: Database, buckets: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    made = Deployment(database, buckets, tmp_path, _free_ports()[0])
    for variable in ("DETECTORS", "DATA", "CACHE"):
        (tmp_path / variable.lower()).mkdir()
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(tmp_path / variable.lower()))
    for variable, value in {
        "PLIMSOLL_STORAGE": buckets["lake"],
        "PLIMSOLL_DATABASE": database.dsn("plimsoll", "plimsoll"),
        "PLIMSOLL_LEDGER_DATABASE": database.dsn("plimsoll", "plimsoll_ledger"),
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{made.mlflow_port}",
        "MLFLOW_TRACKING_TOKEN": LOGIN["MLFLOW_TRACKING_TOKEN"],
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "PLIMSOLL_BACKUP_POSTGRES": f"postgresql://postgres@127.0.0.1:{database.port}",
        "PLIMSOLL_BACKUP_LAKE": buckets["lake"],
        "PLIMSOLL_BACKUP_MLFLOW": buckets["mlflow"],
        "PGPASSWORD": "secret",
        "PLIMSOLL_BACKUP_PRIVATE_KEY": (key := ed25519.new_private_key()),
        "PLIMSOLL_BACKUP_PUBLIC_KEYS": ed25519.public_of(key),
    }.items():
        monkeypatch.setenv(variable, value)
    return made


def open_farm(folder: Path) -> None:
    """Seventy days of the pump farm, a champion trained on the first thirty, and a rejection."""
    here = settings.load()
    source = folder / "data" / "pumps.parquet"
    make_frame(HISTORY).to_parquet(source)
    spec = make_spec(source={"kind": "parquet", "path": str(source)}, model=SMALL)
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    ingestion.load(here, "pumps", [day.isoformat() for day in days(HISTORY)], run="r")
    promote_trained(here, AS_OF)
    ledger_entries.write(here, REJECTED)
    score_days(here, "pumps", [day.isoformat() for day in LAST_DAYS], run="score/1")


def champion_scores() -> pd.DataFrame:
    """The live version's scores of three days, from the registry and the lake."""
    where = Table(settings.load().storage, "pumps", "telemetry")
    frame = tables.read(where, first_day=LAST_DAYS[0], last_day=LAST_DAYS[-1])
    ordered = frame.sort_values(["timestamp", "pump"], ignore_index=True)
    return score_frame(live.champion(settings.load(), "pumps").bundle, ordered)


def registry() -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    client = connect(settings.load())
    found = client.search_model_versions("name = 'pumps'")
    versions = sorted((v.version, v.run_id, v.source, v.description, str(v.tags)) for v in found)
    return dict(client.get_registered_model("pumps").aliases), versions


def in_any_order(frame: pd.DataFrame) -> list[str]:
    """Every row to the last digit; tables have no order."""
    return sorted(repr(row) for row in frame.to_dict("records"))


def test_a_destroyed_deployment_comes_back_and_scores_the_same_bits(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
):
    database, backup = deployment.database, f"{deployment.buckets['backups']}/first"
    database.do("airflow", "CREATE TABLE dag_run (id int)", role="airflow")
    database.do("airflow", "INSERT INTO dag_run VALUES (7)", role="airflow")
    with deployment.serving_mlflow():
        open_farm(deployment.folder)
        before, known, content = champion_scores(), registry(), deployment.content()
        metrics = database.do("plimsoll", METRICS)
        assert metrics
        signed = ledger_entries.entries(settings.load(), "pumps")
        assert known[0]["champion"] == "1"
        # Everything is up: nobody waits for a backup.
        assert command.main(["create", backup]) == 0
        assert command.main(["restore", backup, "--replace"]) == 1
        assert "connected to mlflow" in capsys.readouterr().err
        assert registry() == known

    deployment.destroy()
    assert command.main(["verify", backup]) == 0
    assert command.main(["restore", backup]) == 0

    with deployment.serving_mlflow():
        assert registry() == known
        pd.testing.assert_frame_equal(champion_scores(), before, check_exact=True)
        for name, rows in deployment.content().items():
            if name != "ledger":
                assert in_any_order(rows) == in_any_order(content[name]), name
        entries = ledger_entries.entries(settings.load(), "pumps")
        assert entries[:2] == signed
        assert [entry.decision.action for entry in entries[2:]] == ["restoration"]
        assert "Restored from the backup of" in entries[2].decision.why
        here = settings.load()
        assert faults_of(here, connect(here), "pumps") == ()
        assert database.do("plimsoll", METRICS, role="plimsoll_reader") == metrics
        again = score_days(here, "pumps", [LAST_DAYS[0].isoformat()], run="score/2")
        assert again["written"] == 0  # nothing to do: the scores are what the champion says
    assert database.do("airflow", "SELECT id FROM dag_run", role="airflow") == [(7,)]
    # Owners and grants came back with the databases.
    database.do("plimsoll", "CREATE TABLE later (value int)", role="plimsoll")
    assert database.do("plimsoll", "SELECT * FROM later", role="plimsoll_reader") == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        database.do("plimsoll", WRITABLE, "INSERT INTO later VALUES (1)", role="plimsoll_reader")
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        database.do("airflow", "SELECT 1", role="plimsoll_reader")


def test_a_deployment_in_use_is_replaced_only_when_asked(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
):
    database, backup = deployment.database, f"{deployment.folder}/backup"
    database.do("airflow", "CREATE TABLE dag_run (id int)", role="airflow")
    assert command.main(["create", backup]) == 0
    database.do("airflow", "INSERT INTO dag_run VALUES (8)", role="airflow")

    assert command.main(["restore", backup]) == 1
    assert "something in database airflow" in capsys.readouterr().err
    assert command.main(["restore", backup, "--replace"]) == 0

    assert database.do("airflow", "SELECT * FROM dag_run") == []


def test_a_wrong_password_is_reported_and_leaves_no_backup(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PGPASSWORD", "wrong")

    assert command.main(["create", f"{deployment.folder}/backup"]) == 1

    printed = capsys.readouterr().err
    assert "airflow was not dumped" in printed
    assert "password authentication failed" in printed
    assert command.main(["verify", f"{deployment.folder}/backup"]) == 1

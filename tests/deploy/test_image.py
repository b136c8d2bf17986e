"""Checks of the application image without building it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.images import image_of

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
CODE, STATE, VENV, OWNER = "/opt/plimsoll", "/var/lib/plimsoll", "/opt/venv", "50000"


@dataclass(frozen=True)
class Instruction:
    """One instruction of the Dockerfile and its stage."""

    stage: str
    name: str
    text: str


def instructions() -> list[Instruction]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found, stage = [], ""
    for line in filter(None, joined.splitlines()):
        name, text = line.split(None, 1)
        if name == "FROM":
            stage = text.split(" AS ")[-1]
        found.append(Instruction(stage, name, " ".join(text.split())))
    return found


def of(name: str, stage: str | None = None) -> list[str]:
    return [i.text for i in instructions() if i.name == name and stage in (None, i.stage)]


def argument(name: str) -> str:
    (value,) = {text.split("=", 1)[1] for text in of("ARG") if text.startswith(f"{name}=")}
    return value


def image_environment() -> dict[str, str]:
    pairs = [pair.split("=", 1) for text in of("ENV", "runtime") for pair in text.split()]
    return dict(pairs)


def copied() -> set[str]:
    """The files that the build copies from the repository."""
    sources = [text.split()[:-1] for text in of("COPY") if not text.startswith("--from")]
    return {source for each in sources for source in each}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return loaded


def of_our_image() -> dict[str, dict[str, Any]]:
    image = compose()["x-application"]["image"]
    return {name: each for name, each in compose()["services"].items() if each["image"] == image}


def test_the_linter_finds_nothing():
    linter = Path(sys.executable).with_name("hadolint")

    done = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_built_on_the_python_that_everything_else_runs_on():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    version = argument("PYTHON_VERSION")

    assert re.fullmatch(r"3\.11\.\d+", version)
    assert project["requires-python"] == ">=3.11,<3.12"
    assert "(3, 11)" in (REPOSITORY / "Makefile").read_text()
    assert of("FROM", "base") == ["python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST} AS base"]


def test_its_version_is_the_projects():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    assert argument("VERSION") == project["version"]


def test_it_holds_the_lock_and_only_the_lock_as_the_makefile_installs_it():
    commands = " ".join(of("RUN", "build"))
    makefile = (REPOSITORY / "Makefile").read_text()
    installs = re.findall(r"pip install ([^&]+)", commands)
    torch = "$(grep -oE '^torch==[^ ]+' requirements.txt)"
    checked = {"--no-deps", "--require-hashes", "--only-binary"}

    assert [checked <= set(each.split()) for each in installs] == [True, True, False]
    assert [each.split()[-1] for each in installs[:2]] == ["requirements-build.txt", "-"]
    assert installs[2].strip().endswith(f'"{torch}"')
    for line in ("grep -v '^torch==' requirements.txt |", torch):
        assert line in commands
        assert line.replace("$(", "$$(") in makefile
    assert not [source for source in copied() if "dev" in source]


def test_it_keeps_the_pip_that_fetches_the_sample_data():
    source = (REPOSITORY / "pipeline" / "data" / "sources" / "openoa_wheel.py").read_text()

    assert '"-m", "pip"' in source
    assert "python -m venv /opt/venv" in " ".join(of("RUN", "build"))


def test_torch_is_the_cpu_build_unless_asked_otherwise():
    assert argument("TORCH_VARIANT") == "cpu"
    assert compose()["x-application"]["build"]["args"]["TORCH_VARIANT"] == "${TORCH_VARIANT:-cpu}"


def test_the_last_stage_installs_nothing():
    commands = " ".join(of("RUN", "runtime"))

    assert not re.search(r"\b(apt|apt-get|pip|uv|curl|gcc)\b", commands)
    assert set(of("COPY", "runtime")) == {f"--from=build {place} {place}" for place in (VENV, CODE)}


def test_it_runs_as_an_ordinary_user_who_owns_the_state_and_nothing_else():
    commands = " ".join(of("RUN", "runtime"))

    assert of("USER", "runtime") == [f"{OWNER}:{OWNER}"]
    assert f"useradd --uid {OWNER}" in commands
    assert f"--home-dir {STATE}" in commands
    assert not [text for text in of("COPY") if "--chown" in text]


def test_compose_knows_its_user():
    text = (REPOSITORY / "docker-compose.yml").read_text()

    assert set(re.findall(r"uid=(\d+)", text)) == {OWNER}
    assert {each.get("user", OWNER).split(":")[0] for each in of_our_image().values()} == {OWNER}


def test_compose_builds_it_with_arguments_that_it_has():
    build = compose()["x-application"]["build"]

    assert (REPOSITORY / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
    assert set(build["args"]) <= {text.split("=")[0] for text in of("ARG")}


def test_every_path_that_compose_names_is_code_of_the_image_or_its_state():
    values = [
        value
        for service in of_our_image().values()
        for name, value in service["environment"].items()
        if isinstance(value, str) and value.startswith("/")
    ]
    code = {f"{CODE}/{source}" for source in copied()} | {CODE}

    assert values
    assert [v for v in values if v not in code and not v.startswith(f"{STATE}/")] == []


@pytest.mark.parametrize("service", ["airflow-worker", "backup"])
def test_a_volume_finds_the_temporary_folder_of_a_service_in_the_image(service: str):
    wanted = of_our_image()[service]["environment"]["TMPDIR"]

    assert wanted in " ".join(of("RUN", "runtime")).split()


def test_what_the_image_says_and_what_compose_says_agree():
    said = image_environment()

    assert said["PATH"].split(":")[0] == f"{VENV}/bin"
    for name, service in of_our_image().items():
        same = {key: value for key, value in service["environment"].items() if key in said}
        assert same == {key: said[key] for key in same}, name


def test_the_proof_without_an_engine_recognises_it():
    reference = compose()["x-application"]["image"].split(":-")[1].rstrip("}")
    image = image_of(reference)
    made = " ".join(of("RUN", "runtime")).split()
    said = image_environment()

    assert str(image.user) == OWNER
    assert [image.workdir] == of("WORKDIR", "runtime") == [CODE]
    assert set(image.folders) == {CODE, VENV}
    assert set(image.owned) <= set(made)
    assert image.environment["HOME"] == said["HOME"]
    assert image.environment["PATH"].split(":")[0] == said["PATH"].split(":")[0]
    assert set(image.environment) <= set(said)


def test_every_module_that_compose_starts_is_in_the_image():
    commands = [
        " ".join(map(str, part))
        for service in of_our_image().values()
        for part in (service["command"], service.get("healthcheck", {}).get("test", []))
    ]
    modules = {name for text in commands for name in re.findall(r"python -m ([\w.]+)", text)}

    assert modules
    assert {name.split(".")[0] for name in modules} <= copied()
    for name in modules:
        place = REPOSITORY.joinpath(*name.split("."))
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), name


def test_the_build_sees_what_it_copies_and_nothing_else():
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied()


def test_what_is_copied_is_enough_to_run(tmp_path: Path):
    for source in copied():
        if (REPOSITORY / source).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / source, tmp_path / source, ignore=unwanted)
        else:
            shutil.copy(REPOSITORY / source, tmp_path)
    (tmp_path / "REVISION").write_text("0123abc\n")
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}

    def run(*arguments: str) -> str:
        program = [sys.executable, "-P", *arguments]
        done = subprocess.run(
            program, env=environment, cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(tmp_path))
    checked = run("-m", "pipeline", "check", str(tmp_path / "detectors" / "la_haute_borne.yaml"))
    assert checked.startswith(f"OK {tmp_path}")
    stamp = (
        "from pipeline import provenance as p; print(p.code_version(), p.lock_hash() != p.UNKNOWN)"
    )
    assert run("-c", stamp) == "0123abc True\n"


@pytest.mark.parametrize("name", ["title", "description", "licenses", "version", "revision"])
def test_it_is_labelled(name: str):
    assert f"org.opencontainers.image.{name}=" in " ".join(of("LABEL", "runtime"))


def test_by_itself_it_serves_the_metrics_and_asks_them_for_its_health():
    (health,) = of("HEALTHCHECK", "runtime")
    (port,) = of("EXPOSE", "runtime")

    assert of("CMD", "runtime") == ['["python", "-m", "pipeline", "metrics"]']
    assert f"http://127.0.0.1:{port}/health" in health
    assert of("ENTRYPOINT") == []  # a service's command is the whole command

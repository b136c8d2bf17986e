"""Every package is the file that the lock names by its hash, and is listed in the SBOM."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
VENV = Path(sys.prefix)
MAKEFILE = (REPOSITORY / "Makefile").read_text()
LOCKS = sorted(path.name for path in REPOSITORY.glob("requirements*.txt"))
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def entries(text: str) -> dict[str, list[str]]:
    """Hashes by requirement, as a lock has them."""
    joined = text.replace("\\\n", " ")
    lines = [line.split() for line in joined.splitlines() if line and line[0] not in " #"]
    return {line[0]: [word for word in line[1:] if word.startswith("--hash=")] for line in lines}


def lock(name: str) -> dict[str, list[str]]:
    return entries((REPOSITORY / name).read_text())


def checked() -> list[str]:
    """The arguments with which make installs everything but torch."""
    [options] = re.findall(r"(?m)^CHECKED := (.+)$", MAKEFILE)
    return str(options).split()


def without_hash(text: str) -> list[str]:
    return [name for name, hashes in entries(text).items() if not hashes]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_but_torch_has_hashes(name: str):
    torch = ["torch==2.13.0"] if name == "requirements.txt" else []

    assert without_hash((REPOSITORY / name).read_text()) == torch
    for hashes in lock(name).values():
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes)


def test_a_package_without_a_hash_is_found():
    text = (REPOSITORY / "requirements.txt").read_text()
    careless = re.sub(r"(?m)^six==(\S+) \\\n(    --hash=.+\n)+", r"six==\1\n", text)

    assert careless != text
    assert without_hash(careless) == ["six==1.17.0", "torch==2.13.0"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_versions_and_no_place(name: str):
    text = (REPOSITORY / name).read_text()

    assert all(re.fullmatch(r"[a-z0-9._-]+(\[[a-z,]+\])?==[\w.!+]+", each) for each in lock(name))
    assert not re.search(r"://|--(index|extra-index|find-links|trusted-host)|(?m:^-)", text)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_all_that_was_asked_for(name: str):
    asked = (REPOSITORY / name).with_suffix(".in").read_text()
    names = re.findall(r"(?m)^([A-Za-z][\w-]*)", asked)
    locked = {re.split(r"[\[=]", each)[0] for each in lock(name)}

    assert names
    assert {re.sub(r"[-_.]+", "-", each).lower() for each in names} <= locked


def test_the_locks_agree():
    versions: dict[str, set[str]] = {}
    for name in LOCKS:
        for each in lock(name):
            package, _, version = each.partition("==")
            versions.setdefault(package.partition("[")[0], set()).add(version)

    assert [name for name, found in versions.items() if len(found) > 1] == []


def test_every_install_of_make_but_that_of_torch_asks_for_hashes():
    installs = re.findall(r"pip install (.+)", MAKEFILE)

    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(checked())
    assert len(installs) == 5
    assert [each for each in installs if "$(CHECKED)" not in each] == [
        "--quiet \"$$(grep -oE '^torch==[^ ]+' requirements.txt)\""
    ]


def wheel(folder: Path) -> tuple[Path, str]:
    """A package `sample`, as an index would deliver it, and its hash."""
    path = folder / "sample-1.0-py3-none-any.whl"
    content = "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sample.py", "")
        archive.writestr("sample-1.0.dist-info/METADATA", content)
        archive.writestr("sample-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("sample-1.0.dist-info/RECORD", "")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("installer", [["uv", "pip"], ["pip"]])
@pytest.mark.parametrize(
    ("written", "refusal"),
    [
        ("sample==1.0 --hash=sha256:{right}", ""),
        ("sample==1.0 --hash=sha256:{wrong}", "hash|match"),
        ("sample==1.0", "hash"),
        ("sample --hash=sha256:{right}", "==|pinned"),
    ],
)
def test_a_package_that_is_not_the_locked_one_is_not_installed(
    tmp_path: Path, installer: list[str], written: str, refusal: str
):
    _, right = wheel(tmp_path)
    wrong = f"{'0' * 8}{right[8:]}"
    (tmp_path / "lock.txt").write_text(written.format(right=right, wrong=wrong) + "\n")
    program = str(VENV / "bin" / installer[0])
    offline = ["--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "to")]

    done = subprocess.run(
        [program, *installer[1:], "install", *checked(), *offline, "-r", "lock.txt"],
        cwd=tmp_path,
        env={**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) is (refusal == ""), done.stderr
    assert (tmp_path / "to" / "sample.py").exists() is (refusal == "")
    assert re.search(refusal, done.stderr, re.IGNORECASE)


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of `make sbom`, from the environment that runs the tests."""
    folder = tmp_path_factory.mktemp("sbom")
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    installed = [f"{VENV}/runtime", f"{VENV}/audit/installed"]
    assert Path(installed[1]).exists(), "the tools are missing: `make test` installs them"
    as_they_are = [word for path in installed for word in ("-o", path)]
    subprocess.run(
        ["make", *as_they_are, f"VENV={VENV}", "sbom"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if "MAKE" not in name},
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / "sbom"


def test_the_bill_of_materials_names_every_locked_package_with_its_hashes(lists: Path):
    content = json.loads((lists / "plimsoll.cdx.json").read_text())
    found = {
        f"{each['name']}=={each['version']}": {
            f"--hash=sha256:{digest['content']}"
            for place in each.get("externalReferences", [])
            for digest in place.get("hashes", [])
        }
        for each in content["components"]
    }
    locked = {re.sub(r"\[.*\]", "", name): set(all_) for name, all_ in lock(LOCKS[-1]).items()}

    assert content["bomFormat"] == "CycloneDX"
    assert content["metadata"]["component"]["name"] == "plimsoll"
    assert found == locked


def test_every_locked_package_has_a_licence_or_is_named_in_the_documents(lists: Path):
    with (lists / "licences.csv").open() as text:
        licences = {row["Name"].lower(): row["License"] for row in csv.DictReader(text)}
    locked = {re.split(r"[\[=]", name)[0] for name in lock("requirements.txt")}
    security = (REPOSITORY / "docs" / "security.md").read_text()

    assert {re.sub(r"[-_.]+", "-", name) for name in licences} == locked
    unclear = [n for n, text in licences.items() if re.search("UNKNOWN|GPL|General Public", text)]
    assert [name for name in unclear if f"`{name}`" not in security] == []


def test_git_does_not_see_the_lists():
    assert "sbom/" in (REPOSITORY / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_actions_of_one_commit_and_may_only_read(workflow: Path):
    text = workflow.read_text()

    actions = re.findall(r"uses: (\S+)", text)
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in actions)
    assert "permissions:\n  contents: read\n" in text


def test_the_workflow_asks_for_known_vulnerabilities_of_every_lock():
    assert any("make audit" in path.read_text() for path in WORKFLOWS)
    [recipe] = re.findall(r"(?m)^audit:.*\n((?:\t.*\n)+)", MAKEFILE)

    assert "requirements*.txt" in recipe
    # Without it a package that the advisory service does not know passes in silence.
    assert "pip-audit --strict" in recipe

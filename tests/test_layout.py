"""Rules for the modules that neither the linter nor the import contracts check."""

import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).parents[1]
LONGEST = 300
IGNORED = re.compile(r"#\s*(noqa|type:\s*ignore)")
REASONED = re.compile(r"# (noqa: [A-Z]+\d+(, [A-Z]+\d+)* - |type: ignore\[[a-z, -]+\] +# )\S")
EACH_ALONE = """
import importlib, sys
for name in sys.argv[1:]:
    for loaded in [each for each in sys.modules if each.split(".")[0] == "pipeline"]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", pattern], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return [REPOSITORY / line for line in listed.stdout.splitlines()]


def test_no_module_outgrows_a_screenful_of_ideas():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this copy has no git history to list its files from")
    modules = [path for path in tracked("*.py") if "tests" not in path.parts]

    assert modules
    assert [p.name for p in modules if len(p.read_text().splitlines()) > LONGEST] == []


def test_whatever_a_tool_is_told_to_ignore_has_its_reason():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this copy has no git history to list its files from")
    ignored = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in tracked("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if IGNORED.search(line)
    ]

    assert ignored
    assert [each for each in ignored if not REASONED.search(each)] == []


def test_the_architecture_page_maps_every_part_of_the_pipeline():
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    parts = {
        path.name if path.suffix else f"{path.name}/"
        for path in (REPOSITORY / "pipeline").iterdir()
        if not path.name.startswith("__")
    }
    served_by_their_neighbours = {
        "errors.py", "records.py", "provenance.py", "tables/schemas.py", "tables/upkeep.py",
        "tables/faults.py", "tables/damage.py",
    }  # fmt: skip

    assert {part for part in parts - served_by_their_neighbours if part not in page} == set()


def test_every_module_of_the_engine_can_be_the_first_that_is_imported():
    paths = sorted((REPOSITORY / "pipeline" / "detector").rglob("*.py"))
    names = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in paths]

    program = [sys.executable, "-c", EACH_ALONE, *names]
    done = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert "pipeline.detector.models.descent" in names
    assert done.returncode == 0, done.stderr


def test_no_module_imports_itself_by_way_of_others():
    """Imports inside functions and those for types alone count too."""
    graph = grimp.build_graph("pipeline")
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}

    assert len(imports) > 300
    TopologicalSorter(imports).prepare()  # raises an error that names the circle


def test_the_deployment_is_loaded_by_commands_and_handed_down():
    """A function that loads it asks the environment behind the back of its caller."""
    modules = (REPOSITORY / "pipeline").rglob("*.py")
    loading = {
        path.relative_to(REPOSITORY).parts[1]
        for path in modules
        if re.search(r"\bsettings\.load\(|settings import .*\bload\b", path.read_text("utf-8"))
    }

    assert loading == {"cli"}

"""The Python files that Airflow reads, one for each detector file."""

from __future__ import annotations

import ast
import os
import runpy
from pathlib import Path

import pytest

from dags.detector_bundle import DetectorBundle, dag_file
from dags.of_detector import dags_of
from pipeline.errors import ConfigError
from tests.integration.plant import write_detector
from tests.verbs import VERBS

NAMES = ("press", "press__old", "pump")


@pytest.fixture
def detectors(tmp_path, monkeypatch):
    folder = tmp_path / "detectors"
    folder.mkdir()
    for name in NAMES:
        write_detector(folder, name)
    monkeypatch.setenv("PLIMSOLL_DETECTORS", str(folder))
    return folder


@pytest.fixture
def bundle(detectors, tmp_path, monkeypatch):  # noqa: ARG001 - reads them
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    made = DetectorBundle(name="detectors")
    made.initialize()
    return made


def files(bundle):
    return sorted(path.name for path in bundle.path.iterdir())


def test_each_detector_has_a_file(bundle):
    assert files(bundle) == [f"{name}.py" for name in NAMES]


def test_a_file_makes_the_dags_of_its_detector(bundle):
    made = runpy.run_path(str(bundle.path / "press__old.py"))

    found = {dag.dag_id for dag in made.values() if hasattr(dag, "dag_id")}
    assert found == {f"press__old__{verb}" for verb in VERBS}


def test_a_file_shows_the_text_of_the_detector_file(bundle, detectors):
    text = (detectors / "pump.yaml").read_text()

    shown = (bundle.path / "pump.py").read_text().partition("# 'pump.yaml':\n#\n")[2]

    assert "\n".join(line[2:] for line in shown.splitlines()) == text.rstrip()


def test_only_a_changed_detector_file_is_new_to_airflow(bundle, detectors):
    for name in NAMES:
        os.utime(bundle.path / f"{name}.py", (1, 1))
    with (detectors / "pump.yaml").open("a") as file:
        file.write("# fixed\n")

    bundle.refresh()

    new = [name for name in NAMES if (bundle.path / f"{name}.py").stat().st_mtime > 1]
    assert new == ["pump"]


def test_the_file_of_a_detector_that_is_gone_goes_too(bundle, detectors):
    (detectors / "pump.yaml").unlink()

    bundle.refresh()

    assert files(bundle) == ["press.py", "press__old.py"]


def test_a_task_takes_no_file_away(bundle, detectors):
    (detectors / "pump.yaml").unlink()

    DetectorBundle(name="detectors").initialize()

    assert "pump.py" in files(bundle)  # the DAG processor decides, when it looks again


@pytest.fixture
def odd(detectors, tmp_path):
    """Entries of the folder that are no detector file, beside those that are."""
    (detectors / ".#pump.yaml").symlink_to("somebody@host.1234")  # an editor's lock
    (detectors / "#press.yaml#").write_text("half a")
    (detectors / "~pump.yaml").write_text("half a")
    (detectors / "pump.yaml~").write_text("an old one")
    (detectors / "README.md").write_text("what is here")
    (detectors / "old.yaml").mkdir()
    (detectors / "gone.yaml").symlink_to(tmp_path / "unmounted" / "gone.yaml")
    (detectors / "secret.yaml").symlink_to("/proc/self/mem")  # what even root cannot read
    os.mkfifo(detectors / "pipe.yaml")
    (detectors / "large.yaml").write_text("#" * 2_000_000)
    (detectors / "pump.yml").write_text((detectors / "pump.yaml").read_text())
    (detectors / "Press.YAML").write_text((detectors / "press.yaml").read_text())
    (detectors / "My Pump.yaml").write_text("name: pump\n")
    (detectors / f"{'x' * 250}.yaml").write_text("name: pump\n")
    Path(os.fsdecode(os.fsencode(detectors) + b"/\xff.yaml")).write_text("name: pump\n")
    return detectors


RIGHT = {f"{name}.py" for name in NAMES}
WRONG = {"old.py", "gone.py", "secret.py", "pipe.py", "large.py"}


@pytest.mark.usefixtures("odd")
def test_an_odd_entry_stops_no_other(bundle):
    bundle.refresh()

    named = {name for name in files(bundle) if not name.startswith("no-detector-")}
    assert named == RIGHT | WRONG
    assert len(files(bundle)) == len(named) + 5
    for name in RIGHT:
        made = runpy.run_path(str(bundle.path / name))["DAGS"]
        assert len(made) == len(VERBS)


@pytest.mark.usefixtures("odd")
def test_an_odd_entry_is_the_import_error_of_its_own(bundle):
    errors = []
    for name in sorted(set(files(bundle)) - RIGHT):
        with pytest.raises(ConfigError) as error:
            runpy.run_path(str(bundle.path / name))
        errors.append(str(error.value))

    for part in (
        "old.yaml: is a folder",
        "gone.yaml: is a link to what is not there",
        "secret.yaml: cannot be read",
        "pipe.yaml: is no regular file",
        "large.yaml: is larger than 1,000,000 bytes",
        "rename it to pump.yaml",
        "rename it to Press.yaml",
        "My Pump.yaml",
        "xxx.yaml",
        "\udcff.yaml",
    ):
        assert sum(part in each for each in errors) == 1, part


def test_an_odd_entry_that_is_fixed_gets_its_dags(bundle, detectors):
    (detectors / "fan.yml").write_text((detectors / "pump.yaml").read_text().replace("pump", "fan"))
    bundle.refresh()
    (detectors / "fan.yml").rename(detectors / "fan.yaml")

    bundle.refresh()

    assert files(bundle) == ["fan.py", *(f"{name}.py" for name in NAMES)]


def test_the_dags_stay_when_the_folder_is_out_of_reach(bundle, detectors):
    detectors.rename(detectors.with_name("elsewhere"))

    with pytest.raises(ConfigError, match="set PLIMSOLL_DETECTORS"):
        bundle.refresh()

    assert set(files(bundle)) == RIGHT


@pytest.mark.parametrize(
    "text", [b"a: \0", b"a: \"\"\"\n'''", b"a: {b}\f\nc: \\", b"\xc2\x85\r\nb\r", b"a: \xff\xfe"]
)
def test_any_text_is_a_comment(tmp_path, text):
    source = tmp_path / "pump.yaml"
    source.write_bytes(b"")
    nothing = ast.dump(ast.parse(dag_file(source)))
    source.write_bytes(text)

    assert ast.dump(ast.parse(dag_file(source))) == nothing


def test_a_files_name_is_no_code(tmp_path):
    source = tmp_path / "a\nimport os\n#.yaml"
    source.write_text("name: a\n")

    imported = [type(each) for each in ast.walk(ast.parse(dag_file(source)))]

    assert imported.count(ast.Import) == 0


@pytest.mark.usefixtures("detectors")
@pytest.mark.parametrize("name", NAMES)
def test_a_task_makes_only_the_dag_it_is_about(monkeypatch, name):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", f"{name}__score")

    assert list(dags_of(name)) == [f"{name}__score"]

import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.detector.bundle.bundle import fitted_of, load_bundle
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.bundle.sums import SUMS_FILE, write_sums
from pipeline.detector.inputs.frames import feature_values
from pipeline.errors import BundleError, DataError
from tests.detector.plant import (
    CHANNELS,
    calibrated_plant,
    fitted_plant,
    normal_rows,
    plant_bundle,
    schema,
    write_plant,
)


@pytest.fixture
def folder(tmp_path):
    write_plant(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_a_loaded_bundle_is_what_was_written(folder):
    bundle = load_bundle(folder)

    assert bundle.schema == schema()
    assert bundle.description.threshold == calibrated_plant().threshold
    assert bundle.description.network == fitted_plant().facts
    assert bundle.description.provenance.code_version == "abc"
    assert bundle.reference().score.tolist() == calibrated_plant().reference.score.tolist()
    assert fitted_of(bundle).graph == fitted_plant().graph


def test_a_bundle_from_before_there_were_recalibrations_still_loads(folder):
    path = folder / "detector.json"
    content = json.loads(path.read_text())
    del content["lineage"]
    path.write_text(json.dumps(content))
    write_sums(folder)

    bundle = load_bundle(folder)

    assert bundle.description.lineage is None
    assert bundle.trained_reference().score.tolist() == bundle.reference().score.tolist()


def test_the_same_content_gives_the_same_bytes(tmp_path):
    first, second = write_plant(tmp_path / "a"), write_plant(tmp_path / "b")

    assert first == second
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_the_hashes_are_in_the_format_of_sha256sum(folder):
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS_FILE], cwd=folder, capture_output=True, check=True
    )

    assert checked.stdout.count(b": OK") == 5


def test_a_bundle_scores_as_the_network_it_was_made_of(folder):
    rows = feature_values(normal_rows(100, seed=7), schema())

    expected = Graph(fitted_plant().graph).score(rows)

    np.testing.assert_array_equal(load_bundle(folder).score(rows).score, expected.score)


def test_the_threshold_is_not_in_the_graph(folder):
    value = np.float32(load_bundle(folder).threshold).tobytes()

    assert value not in (folder / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    "name", ["model.onnx", "weights.safetensors", "detector.json", "golden.parquet"]
)
def test_a_changed_file_is_refused_by_name(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(BundleError, match=f"{name}: has sha256 .* fetch the bundle again"):
        load_bundle(folder)


def test_an_absent_file_is_refused_by_name(folder):
    (folder / "weights.safetensors").unlink()

    with pytest.raises(BundleError, match=r"weights\.safetensors: is listed and missing"):
        load_bundle(folder)


def test_a_file_that_was_added_is_refused_by_name(folder):
    (folder / "extra.py").write_text("print('hello')")

    with pytest.raises(BundleError, match=r"extra\.py: is not listed"):
        load_bundle(folder)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(BundleError, match="no such folder; give a bundle"):
        load_bundle(tmp_path / "none")


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match="is no bundle; give a folder"):
        load_bundle(tmp_path)


def test_another_schema_version_is_refused_with_both_versions(folder):
    path = folder / "detector.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    write_sums(folder)

    with pytest.raises(BundleError, match="schema_version 99; this Plimsoll reads 2"):
        load_bundle(folder)


def test_a_graph_that_scores_otherwise_than_its_golden_rows_say_is_refused(folder):
    table = pq.read_table(folder / "golden.parquet")
    scores = table["golden score"].to_numpy().copy()
    scores[17] += 2e-5 * load_bundle(folder).threshold
    pq.write_table(
        table.set_column(len(CHANNELS), "golden score", [scores]), folder / "golden.parquet"
    )
    write_sums(folder)

    with pytest.raises(BundleError, match=r"golden\.parquet: scores differ by up to .* at most"):
        load_bundle(folder)


def test_a_file_that_is_no_graph_is_refused(folder):
    (folder / "model.onnx").write_bytes(b"not a graph")
    write_sums(folder)

    with pytest.raises(BundleError, match="cannot be loaded"):
        load_bundle(folder)


def test_a_bundle_is_never_written_over(folder):
    with pytest.raises(BundleError, match="never changed"):
        write_plant(folder)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_an_error_and_never_normal(folder, bad):
    rows = feature_values(normal_rows(10), schema())
    rows[4, 2] = bad

    with pytest.raises(DataError, match=r"1 of 10 rows .* flow \(1\)"):
        load_bundle(folder).score(rows)


def test_rows_of_another_width_are_refused(folder):
    with pytest.raises(DataError, match=r"\(3, 4\); \(n, 5\) is needed"):
        load_bundle(folder).score(np.zeros((3, 4), np.float32))


def test_no_rows_get_no_scores(folder):
    scored = load_bundle(folder).score(np.empty((0, 5), np.float32))

    assert scored.score.shape == (0,)
    assert scored.error.shape == (0, 5)


def test_a_bundle_can_be_moved(folder, tmp_path):
    before = load_bundle(folder).digest

    shutil.move(folder, tmp_path / "elsewhere")

    assert load_bundle(tmp_path / "elsewhere").digest == before


def test_loading_a_bundle_imports_neither_torch_nor_pandas(folder):
    code = (
        "import sys; from pathlib import Path; from pipeline.detector.bundle.bundle import load_bundle; "
        f"load_bundle(Path({str(folder)!r})); import pipeline.scoring; "
        "print([m for m in ('torch', 'pandas', 'mlflow', 'airflow', 'sklearn', 'pickle5', 'yaml') "
        "if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_plant_bundle_names_its_detector(tmp_path):
    assert plant_bundle(tmp_path / "b").description.name == "plant"

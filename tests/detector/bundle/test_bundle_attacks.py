"""Bundles whose parts were changed together with their hashes: each is refused by its fault."""

import json
import math
import resource
import shutil

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.calibration import Smoothing
from pipeline.detector.bundle.bundle import fitted_of, load_bundle
from pipeline.detector.bundle.coherence import MOST_SMOOTHED
from pipeline.detector.bundle.sums import SUMS_FILE, write_sums
from pipeline.errors import BundleError
from tests.detector.forging import (
    PARTS,
    described,
    graphed,
    of_an_earlier_release,
    scaled,
    tabled,
)
from tests.detector.plant import CHANNELS, calibrated_plant, write_plant

THRESHOLD = calibrated_plant().threshold.value
MUTATIONS = 40
"""Of each part; a thousand of each were run once."""


@pytest.fixture
def folder(tmp_path):
    write_plant(tmp_path / "bundle")
    return tmp_path / "bundle"


def threshold_of(value):
    return lambda content: content["threshold"].update(value=value)


@pytest.mark.parametrize("earlier", [False, True], ids=["this release", "an earlier one"])
@pytest.mark.parametrize("value", [math.inf, math.nan, 1e308, 1e9, 0, -1.0, 1e-300])
def test_a_threshold_that_no_calibration_gives_is_refused(folder, value, earlier):
    if earlier:
        of_an_earlier_release(folder)
    described(folder, threshold_of(value))

    with pytest.raises(BundleError, match=r"detector\.json: threshold\.value is .*fetch the bund"):
        load_bundle(folder)


@pytest.mark.parametrize("factor", [0.999, 1.001])
def test_a_threshold_beyond_its_calibration_scores_is_refused_to_the_last_percent(folder, factor):
    low, high = calibrated_plant().summary.drawn_between

    described(folder, threshold_of(factor * (low if factor < 1 else high)))

    with pytest.raises(
        BundleError, match=r"the method conformal gives .* for these calibration sco"
    ):
        load_bundle(folder)


@pytest.mark.parametrize("method", ["hill", "pot", "mad", "sigma"])
def test_a_method_that_extrapolates_has_a_limit_too(folder, method):
    high = calibrated_plant().summary.drawn_between[1]

    described(
        folder, lambda content: content["threshold"].update(value=900 * THRESHOLD, method=method)
    )
    assert load_bundle(folder).threshold == 900 * THRESHOLD

    described(folder, threshold_of(1100 * high))
    with pytest.raises(BundleError, match=f"the method {method} gives"):
        load_bundle(folder)


def test_a_range_that_was_widened_together_with_the_threshold_does_not_fit_the_reference(folder):
    def widen(content):
        content["threshold"]["value"] = 1e9
        content["calibration"]["drawn_between"] = [0.0, 1e9]

    described(folder, widen)

    with pytest.raises(BundleError, match=r"between 0 and 1e\+09, and 400 of 400 in reference"):
        load_bundle(folder)


def test_quantiles_that_were_raised_together_with_the_threshold_do_not_fit_the_reference(folder):
    of_an_earlier_release(folder)

    def raise_all(content):
        content["threshold"]["value"] = 1e9
        content["calibration"]["quantiles"]["0.999"] = 1e9

    described(folder, raise_all)

    with pytest.raises(BundleError, match=r"between 0 and 1e\+09, and 400 of 400 in reference"):
        load_bundle(folder)


@pytest.mark.parametrize("threshold", [THRESHOLD, 1e9], ids=["its own", "1e9"])
def test_a_blind_graph_is_refused_whatever_the_threshold(folder, threshold):
    graphed(folder, lambda model: scaled(model, 0.0))
    described(folder, threshold_of(threshold))

    with pytest.raises(BundleError):
        load_bundle(folder)


def test_golden_rows_that_a_blind_graph_satisfies_are_refused(folder):
    graphed(folder, lambda model: scaled(model, 0.0))
    tabled(folder, "golden.parquet", lambda table: scored(table, np.zeros(len(table), np.float32)))

    with pytest.raises(BundleError, match=r"all of its 256 rows the score 0, as a blind graph"):
        load_bundle(folder)


def test_a_nearly_blind_graph_does_not_reach_the_threshold(folder):
    graphed(folder, lambda model: scaled(model, 1e-9))
    tabled(
        folder,
        "golden.parquet",
        lambda table: scored(table, table["golden score"].to_numpy() * np.float32(1e-9)),
    )

    with pytest.raises(BundleError, match="as its greatest score and the threshold is"):
        load_bundle(folder)


def scored(table, scores):
    return table.set_column(len(CHANNELS), "golden score", pa.array(scores))


def test_the_tolerance_does_not_grow_with_the_threshold(folder):
    described(
        folder, lambda content: content["threshold"].update(value=900 * THRESHOLD, method="pot")
    )
    graphed(folder, lambda model: scaled(model, 1.0001))

    with pytest.raises(BundleError, match=r"scores differ by up to .* \(1e-5 of their spread\)"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("rows", "message"),
    [(0, "from 1 to 256"), (1, "says 256"), (255, "says 256"), (400, "from 1 to 256")],
)
def test_another_number_of_golden_rows_is_refused(folder, rows, message):
    tabled(
        folder,
        "golden.parquet",
        lambda table: pa.concat_tables([table, table]).slice(0, rows),
    )

    with pytest.raises(BundleError, match=rf"golden\.parquet.* holds {rows} rows; .*{message}"):
        load_bundle(folder)


def test_few_golden_rows_are_refused_where_their_number_is_not_stated(folder):
    of_an_earlier_release(folder)
    tabled(folder, "golden.parquet", lambda table: table.slice(0, 49))

    with pytest.raises(BundleError, match="49 rows; of 400 reference rows at least 50 were kept"):
        load_bundle(folder)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_gone_from_the_list_too_is_named(folder, name):
    (folder / name).unlink()
    write_sums(folder)

    with pytest.raises(BundleError, match=rf"{name}: is missing; a bundle has model\.onnx, "):
        load_bundle(folder)


def test_a_recalibrated_bundle_without_the_reference_of_its_training_is_refused(folder):
    lineage = {
        "weights_of": 1,
        "drawn_from": 1,
        "trained_until": "2024-01-01",
        "anchor_threshold": 1.0,
        "anchor_level": 0.1,
        "anchor_day": "2024-01-01",
        "moved": "2024-01-01",
        "counts": {},
    }
    described(folder, lambda content: content.update(lineage=lineage))

    with pytest.raises(BundleError, match=r"trained\.parquet: is missing"):
        load_bundle(folder)


def far(*keys, value):
    """Change one place, deep inside."""

    def change(content):
        place = content
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (far("network", "schema", "window", value=1_000_000), "5,000,000 numbers a row"),
        (far("network", "schema", "window", value=0), "window is 0"),
        (far("network", "scaler", "mean", 2, value=7.0), "scaler.mean of 'flow' is 7, in model"),
        (far("network", "scaler", "scale", 0, value=9.0), "scaler.scale of 'load' is 9, in model"),
        (
            far("network", "scaler", "mean", 0, value=1e308),
            "scaler.mean of 'load' is inf, in model",
        ),
        (far("network", "scaler", "scale", 0, value=0.0), "scale has 0; every scale is above 0"),
        (far("network", "scaler", "mean", value=[1.0]), "scaler.mean has 1 numbers, not 5"),
        (far("network", "schema", "features", 1, value="load"), "names 5 features, 4 of them once"),
        (far("network", "schema", "context", value=["nobody"]), "'nobody', which is not a feature"),
        (far("network", "schema", "context", value=list(CHANNELS)), "none is judged"),
        (far("network", "settings", value={}), "settings names no family"),
        (far("network", "ranges", "lowest", 0, value=math.nan), "lowest has nan"),
        (far("finish", "rows", value=1_000_000), r"finish.rows is 1,000,000; from 1 to 1,000 r"),
        (far("calibration", "quantiles", value={}), r"no median \(0.5\)"),
        (far("calibration", "feature_error", value=[]), "feature_error has 0 numbers, not 5"),
        (far("threshold", "alpha", value=1.0), "alpha is 1; a share lies between 0 and 1"),
        (far("calibration", "drawn_between", value=[1e308, 1e308]), r"lie between 1e\+308 and 1e"),
    ],
)
def test_an_impossible_value_is_refused_with_its_name_and_its_limit(folder, change, message):
    described(folder, change)

    with pytest.raises(BundleError, match=rf"detector\.json: .*{message}.*fetch the bundle again"):
        load_bundle(folder)


def test_smoothing_has_the_limit_that_its_section_has():
    assert Smoothing.model_fields["rows"].metadata[-1].le == MOST_SMOOTHED


def test_a_description_that_is_nested_without_end_is_refused(folder):
    (folder / "detector.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    write_sums(folder)

    with pytest.raises(BundleError, match=r"is no description of a detector \(RecursionError"):
        load_bundle(folder)


def test_the_error_of_a_description_fits_one_screen(folder):
    described(folder, far("network", "schema", "features", value=[{"a": "x" * 10_000}] * 1000))

    with pytest.raises(BundleError) as caught:
        load_bundle(folder)

    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("kind", ["folder", "link", "link in the list"])
def test_an_entry_that_is_not_a_file_is_refused_by_name(folder, kind, tmp_path):
    if kind == "folder":
        (folder / "more").mkdir()
        with (folder / SUMS_FILE).open("a") as sums:
            sums.write(f"{'0' * 64}  more\n")
    else:
        shutil.move(folder / "golden.parquet", tmp_path / "golden.parquet")
        (folder / "golden.parquet").symlink_to(tmp_path / "golden.parquet")
        if kind == "link in the list":
            write_sums(folder)

    with pytest.raises(BundleError, match="is a link or a folder; a bundle is files only"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["golden.parquet", "reference.parquet"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_rows_that_cannot_be_read_are_refused_by_name(folder, name, content):
    (folder / name).write_bytes(content)
    write_sums(folder)

    with pytest.raises(BundleError, match=rf"{name}: cannot be read as Parquet"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["golden.parquet", "reference.parquet"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["flow"]), r"has \d columns, not \d"),
        (
            lambda table: table.rename_columns(["x", *table.column_names[1:]]),
            ".*'x' is out of place",
        ),
        (
            lambda table: table.set_column(0, "load", table["load"].cast(pa.float64())),
            "'load' holds double, not float",
        ),
        (
            lambda table: table.set_column(
                0, "load", pa.array([None, *table["load"].to_pylist()[1:]], pa.float32())
            ),
            r"1 of \d+ values of 'load' are null",
        ),
        (lambda table: pa.concat_tables([table] * 200), r"holds \d\d,\d00 rows; from 1 to"),
    ],
)
def test_rows_of_another_shape_or_type_are_refused_by_name(folder, name, change, message):
    tabled(folder, name, change)

    with pytest.raises(BundleError, match=rf"{name}: {message}"):
        load_bundle(folder)


def test_reference_scores_that_are_not_finite_are_refused(folder):
    def damage(table):
        at = table.column_names.index("score")
        scores = table["score"].to_numpy().copy()
        scores[3] = np.nan
        return table.set_column(at, "score", pa.array(scores))

    tabled(folder, "reference.parquet", damage)

    with pytest.raises(BundleError, match="1 of 400 scores are below 0 or not finite"):
        load_bundle(folder)


def external(model):
    """Keep the first weights in a file of the working folder."""
    weights = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    raw = weights.raw_data
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "elsewhere.bin"
    return raw


def test_weights_in_another_file_are_refused_even_below_the_working_folder(
    folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    graphed(folder, lambda model: (tmp_path / "elsewhere.bin").write_bytes(external(model)))

    with pytest.raises(BundleError, match=r"model\.onnx keeps '.*' in another file"):
        load_bundle(folder)


def huge(model, *, kept):
    """Let the graph allocate 400 million numbers; `kept` says how it names their count."""
    helper = onnx.helper
    shape = helper.make_tensor("count", onnx.TensorProto.INT64, [2], [20_000, 20_000])
    if kept == "initializer":
        model.graph.initializer.append(shape)
    elif kept == "raw initializer":
        numbers = np.array([20_000, 20_000], dtype=np.int64)
        model.graph.initializer.append(onnx.numpy_helper.from_array(numbers, "count"))
    else:
        more = {"value_ints": [20_000, 20_000]} if kept == "numbers" else {"value": shape}
        model.graph.node.insert(0, helper.make_node("Constant", [], ["count"], **more))
    one = helper.make_tensor("count", onnx.TensorProto.FLOAT, [1], [1.0])  # the name misleads
    made = helper.make_node("ConstantOfShape", ["count"], ["large"], value=one)
    model.graph.node.append(made)
    model.graph.node.append(helper.make_node("ReduceMax", ["large"], ["lost"], keepdims=0))
    model.graph.output.append(helper.make_tensor_value_info("lost", onnx.TensorProto.FLOAT, []))


@pytest.mark.parametrize("kept", ["initializer", "raw initializer", "constant", "numbers"])
def test_a_constant_of_400_million_numbers_is_refused_before_it_is_made(folder, kept):
    graphed(folder, lambda model: huge(model, kept=kept))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(BundleError, match=r"400,000,000 values \(ConstantOfShape\); at most 16,77"):
        load_bundle(folder)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_a_graph_that_lacks_an_output_is_refused(folder):
    graphed(folder, lambda model: model.graph.output.pop())

    with pytest.raises(BundleError, match="it must take features and give score, feature_error"):
        load_bundle(folder)


def test_a_graph_that_cannot_score_its_golden_rows_is_refused(folder):
    def break_down(model):
        times = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [3], [1.0] * 3)
        scaled(model, 1.0)
        model.graph.initializer.append(times)
        model.graph.node[-1].input[1] = "w"

    graphed(folder, break_down)

    with pytest.raises(BundleError, match=r"cannot score the golden rows|cannot be loaded"):
        load_bundle(folder)


def test_invalid_weights_are_refused_when_they_are_needed(folder):
    (folder / "weights.safetensors").write_bytes(b"x" * 100)
    write_sums(folder)
    bundle = load_bundle(folder)

    with pytest.raises(BundleError, match=r"weights\.safetensors: holds no weights"):
        fitted_of(bundle)


def refused(folder):
    """The error of all that a process does with a bundle; empty: none."""
    try:
        bundle = load_bundle(folder)
        bundle.reference()
        fitted_of(bundle)
        bundle.score(np.zeros((3, len(CHANNELS)), np.float32))
    except BundleError as error:
        return str(error)
    return ""


def mutated(content, chance):
    """Bytes changed, cut out, doubled or cut off, a few of them."""
    at, size = int(chance.integers(len(content))), int(chance.integers(1, 40))
    changed = bytes(byte ^ int(chance.integers(1, 256)) for byte in content[at : at + size])
    return [
        content[:at] + changed + content[at + size :],
        content[:at] + content[at + size :],
        content[: at + size] + content[at:],
        content[:at],
    ][int(chance.integers(4))]


@pytest.mark.parametrize("name", PARTS)
def test_whatever_the_bytes_of_a_part_the_answer_is_a_bundle_or_a_refusal(folder, name):
    chance, honest = np.random.default_rng(PARTS.index(name)), (folder / name).read_bytes()
    for _ in range(MUTATIONS):
        (folder / name).write_bytes(mutated(honest, chance))
        write_sums(folder)
        assert len(refused(folder)) < 2000


ODD = [math.nan, math.inf, -1, 0, 1e308, 10**400, "x", "", None, [], {}, True, [[]], {"a": 1}]


def places(content, path=()):
    """Every place of a JSON document that holds something."""
    yield path
    held = content.items() if isinstance(content, dict) else ()
    for key, value in enumerate(content) if isinstance(content, list) else held:
        yield from places(value, (*path, key))


def test_whatever_the_description_contains_the_answer_is_a_bundle_or_a_refusal(folder):
    chance, honest = np.random.default_rng(7), (folder / "detector.json").read_text()
    known = [path for path in places(json.loads(honest)) if path]
    message = []
    for _ in range(4 * MUTATIONS):
        content = json.loads(honest)
        path, odd = known[int(chance.integers(len(known)))], ODD[int(chance.integers(len(ODD)))]
        far(*path, value=odd)(content)
        (folder / "detector.json").write_text(json.dumps(content))
        write_sums(folder)
        message.append(refused(folder))

    assert sum(map(bool, message)) > 2 * MUTATIONS
    assert max(map(len, message)) < 2000


def test_a_table_with_columns_of_one_name_is_refused(folder):
    table = pq.read_table(folder / "golden.parquet")
    twice = pa.table(list(table.columns), names=["load", "load", *table.column_names[2:]])
    pq.write_table(twice, folder / "golden.parquet")
    write_sums(folder)

    with pytest.raises(BundleError, match="'load' is out of place"):
        load_bundle(folder)

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from pipeline.config import detector_files, find_detector, load_detector
from pipeline.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "detectors"


def written(folder: Path, **changes: object) -> Path:
    content = {
        "name": "pump",
        "source": {"kind": "csv", "path": "pump.csv"},
        "schema": {"cadence": "1min", "features": {"flow": {"unit": "l/s"}}},
        "schedule": {"start": "2024-01-01"},
    }
    path = folder / "pump.yaml"
    path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
    return path


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_detector_file_is_right(path):
    assert load_detector(path).name == path.stem


def test_a_minimal_file_gets_every_default(tmp_path):
    spec = load_detector(written(tmp_path))

    assert spec.threshold.alpha == 0.01
    assert spec.columns.cadence == timedelta(minutes=1)
    assert spec.columns.feature_columns == ("flow",)


def test_angles_and_deviations_become_feature_columns(tmp_path):
    schema = {
        "cadence": "1min",
        "entity": "pump",
        "features": {"flow": {"unit": "l/s"}, "angle": {"unit": "deg", "circular": True}},
        "derived": [{"kind": "peer_deviation", "of": ["flow"]}],
    }

    spec = load_detector(written(tmp_path, schema=schema))

    assert spec.columns.feature_columns == ("flow", "angle_sin", "angle_cos", "flow_vs_peers")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresold": {}}, r"pump\.yaml:\d+: thresold: unknown key .*did you mean `threshold`"),
        ({"threshold": {"alpha": 2}}, r"threshold\.alpha: got 2; .*less than 0\.5"),
        ({"threshold": {"aplha": 0.1}}, r"threshold\.aplha: unknown key .*`alpha`"),
        ({"source": {"kind": "cvs", "path": "x"}}, r"source: got 'cvs'; choose one of 'csv'"),
        (
            {"validation": {"missing_cells": 0.2}},
            r"0\.2 and model\.family 'denoising' accepts no .* to masked, or .*missing_cells to 0",
        ),
        (
            {
                "validation": {"missing_cells": 0.2},
                "model": {"family": "masked"},
                "window": {"length": 3, "derivative": True},
            },
            r"missing_cells is 0\.2 and window\.derivative .* leave them out, or set",
        ),
        (
            {"validation": {"minimum_channels": 9}},
            r"minimum_channels is 9 and schema\.features has \d; .*: set it to \d or less",
        ),
        ({"validation": {"missing_cells": 1}}, r"validation\.missing_cells: got 1; .*less than 1"),
        ({"source": {"kind": "csv"}}, r"source\.path: is required and absent; add `path"),
        ({"source": {"kind": "csv", "pth": "x", "path": "x"}}, r"source\.pth: .*`path`"),
        (
            {"source": {"kind": "sql", "url_env": "DB", "query": "select 1"}},
            r"source\.query: the query has no :start; add `WHERE",
        ),
        ({"schedule": {"start": "soon"}}, r"schedule\.start: got 'soon'"),
        ({"schedule": {"start": "2024-01-01", "train": "daily"}}, r"'daily' is no cron line"),
        ({"split": {"minimum_days": 99}}, r"minimum_days 99 exceeds training_days 90"),
        (
            {"schema": {"cadence": "often", "features": {"flow": {"unit": "1"}}}},
            r"schema\.cadence: got 'often'.*write for example 30s",
        ),
        (
            {"schema": {"cadence": "1min", "features": {"f": {"unit": "1", "range": [3, 1]}}}},
            r"schema\.features\.f: range \[3\.0, 1\.0\] does not rise",
        ),
        (
            {"schema": {"cadence": "1min", "features": {"eval_x": {"unit": "1"}}}},
            r"feature 'eval_x' is an evaluation-only name",
        ),
        (
            {
                "schema": {
                    "cadence": "1min",
                    "features": {"flow": {"unit": "1"}},
                    "evaluation_only": ["label"],
                }
            },
            r"evaluation_only column 'label' does not start with 'eval_'",
        ),
        (
            {
                "schema": {
                    "cadence": "1min",
                    "features": {"flow": {"unit": "1"}},
                    "evaluation_only": ["eval_label"],
                }
            },
            r"evaluation_only names 'eval_label', which holds what people labelled",
        ),
        ({"name": "pmup"}, r"name: got 'pmup' in a file called 'pump'"),
    ],
)
def test_a_mistake_is_reported_with_its_key_its_value_and_the_fix(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        load_detector(written(tmp_path, **changes))


def test_a_family_that_accepts_missing_values_may_have_a_limit_for_them(tmp_path):
    spec = load_detector(
        written(tmp_path, validation={"missing_cells": 0.2}, model={"family": "masked"})
    )

    assert spec.validation.missing_cells == 0.2
    assert load_detector(written(tmp_path)).validation.missing_cells == 0


def test_every_mistake_of_a_file_is_reported_at_once(tmp_path):
    path = written(tmp_path, threshold={"alpha": 2}, window={"length": 0})

    with pytest.raises(ConfigError) as message:
        load_detector(path)

    assert len(str(message.value).splitlines()) == 2


def test_the_line_of_a_mistake_is_its_line_in_the_file(tmp_path):
    path = written(tmp_path)
    path.write_text(path.read_text() + "window:\n  length: 0\n")
    line = len(path.read_text().splitlines())

    with pytest.raises(ConfigError, match=rf"pump\.yaml:{line}: window\.length"):
        load_detector(path)


def test_a_key_written_twice_is_refused(tmp_path):
    path = written(tmp_path)
    path.write_text(path.read_text() + "name: pump\n")

    with pytest.raises(ConfigError, match="name: the key is there twice"):
        load_detector(path)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "is not valid YAML"), ("- 1", "holds a list, not the sections")]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text, message):
    path = tmp_path / "pump.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=message):
        load_detector(path)


def test_a_folder_of_detectors_is_listed_without_what_editors_leave(tmp_path):
    for name in ("b.yaml", "a.yaml", "c.yml", ".#a.yaml", "#a.yaml#", "~a.yaml", "a.yaml~", "x.md"):
        (tmp_path / name).touch()
    (tmp_path / "d.yaml").mkdir()

    assert [path.name for path in detector_files(tmp_path)] == [
        "a.yaml",
        "b.yaml",
        "c.yml",
        "d.yaml",
    ]


def test_a_detector_is_found_by_its_name(tmp_path):
    path = written(tmp_path)

    assert find_detector(tmp_path, "pump") == path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pmup", r"there is no detector 'pmup' in .*; did you mean 'pump'\? Known: fan, pump"),
        ("pump.yaml", r"there is no detector 'pump\.yaml' in .*; did you mean 'pump'\?"),
        ("detectors/pump.yaml", r"did you mean 'pump'\?"),
        ("../pump", r"did you mean 'pump'\?"),
        ("turbine", r"there is no detector 'turbine' in [^;]*; Known: fan, pump"),
        ("", r"there is no detector '' in [^;]*; Known: fan, pump"),
        ("p\0", r"there is no detector 'p\\x00'"),
        ("x" * 5000, r"there is no detector 'xxx.*\.\.\. in [^;]*; Known: fan, pump"),
        ("fan", r"a detector file ends in \.yaml, and this one in '\.yml'; rename it to fan\.yaml"),
    ],
)
def test_a_detector_that_is_not_there_is_reported_with_the_nearest(tmp_path, name, message):
    written(tmp_path)
    (tmp_path / "fan.yml").touch()

    with pytest.raises(ConfigError, match=message):
        find_detector(tmp_path, name)


def test_of_very_many_detectors_some_are_named(tmp_path):
    for number in range(500):
        (tmp_path / f"pump_{number}.yaml").touch()

    with pytest.raises(ConfigError, match="and 488 more") as message:
        find_detector(tmp_path, "turbine")
    assert len(str(message.value)) < 400


def test_an_absent_folder_is_named_with_the_setting(tmp_path):
    with pytest.raises(ConfigError, match="set PLIMSOLL_DETECTORS"):
        detector_files(tmp_path / "nowhere")

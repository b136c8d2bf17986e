from types import SimpleNamespace

from pipeline.store.thresholds import read_thresholds, record_threshold, weights_by_version
from tests.builders import ESTIMATE, days, stored_in


def register(here, version: int, lineage=None) -> None:
    bundle = SimpleNamespace(description=SimpleNamespace(threshold=ESTIMATE, lineage=lineage))
    record_threshold(
        here, "pumps", bundle, version=version, run_id="r",
        window=(days(2)[0], days(2)[1]), realised_rate=None,
    )  # fmt: skip


def test_a_version_is_recorded_once(tmp_path):
    here = stored_in(tmp_path)

    register(here, 1)
    register(here, 1)

    columns = ["version", "threshold", "threshold_low", "threshold_high", "kind", "anchor"]
    (row,) = read_thresholds(here, "pumps", columns).fillna("").to_numpy().tolist()
    assert row == [1, 2.5, 2.25, "", "trained", 2.5]


def test_a_recalibration_keeps_the_network_and_the_anchor_of_its_origin(tmp_path):
    here = stored_in(tmp_path)

    register(here, 1)
    register(here, 2, SimpleNamespace(weights_of=1, anchor_threshold=2.0))

    assert weights_by_version(here, "pumps") == {1: 1, 2: 1}
    found = read_thresholds(here, "pumps", ["version", "kind", "anchor"]).set_index("version")
    assert list(found.loc[2]) == ["recalibrated", 2.0]


def test_before_the_first_version_no_network_is_known(tmp_path):
    assert weights_by_version(stored_in(tmp_path), "pumps") == {}

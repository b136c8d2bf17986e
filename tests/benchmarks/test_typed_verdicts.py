"""The benchmark of the verdicts on weeks with a fault."""

from __future__ import annotations

from benchmarks.lasting.typed_verdicts import FAULTS, WEATHER, kinds_of, rows_of
from pipeline.drift import Kind

RIGHT: dict[str, Kind] = {fault.name: fault.kinds[0] for fault in (*FAULTS, WEATHER)}
SIGN = "sign of flow"


def test_a_training_for_a_fault_of_the_data_is_a_miss_however_many_others_are_right() -> None:
    trials = [RIGHT] * 99 + [{**RIGHT, SIGN: "model stale"}]

    met = {row.part: row.met for row in rows_of(trials)}

    assert [part for part, is_met in met.items() if not is_met] == [f"a week with {SIGN}"]


def test_a_week_with_a_fault_is_judged_as_its_name_says() -> None:
    found = kinds_of(0)

    assert found.keys() == RIGHT.keys()
    assert found[SIGN] == "data fault"
    assert found["new regime: five channels"] == "model stale"

"""A live version and a detector file that says something else by now: every step refuses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from deploy.demo import review
from pipeline import settings
from pipeline.data.label_request import Author, LabelRequest
from pipeline.errors import DataError
from pipeline.steps import drifting, labelling, live, warm_start
from pipeline.steps.comparing import compare
from pipeline.steps.live import LoadedVersion
from pipeline.steps.meaning import refuse_unfit
from pipeline.steps.scored_window import read_window
from pipeline.utc_day import midnight
from tests.builders import ROWS_A_DAY, make_spec, make_telemetry
from tests.steps.pump_house import EIGHT_DAYS as D
from tests.steps.pump_house import PumpHouse, another_house, station

FEATURES = make_spec().columns.model_dump(mode="json")["features"]
PASCAL = {"features": {**FEATURES, "pressure": {**FEATURES["pressure"], "unit": "Pa"}}}
MACHINE = {"entity": "machine"}


def says(house: PumpHouse, *, window: dict[str, int] | None = None, **schema) -> None:
    """Let the detector file say something else from now on."""
    house.spec = make_spec(
        source={"kind": "parquet", "path": "pumps.parquet"}, schema=schema, window=window or {}
    )
    content = house.spec.model_dump(mode="json", by_alias=True)
    (house.here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))


def fitted_under(version: LoadedVersion, columns: dict[str, Any] | None) -> LoadedVersion:
    """`version` as if it had been fitted under another `schema` section, or under none."""
    network = version.bundle.description.network
    schema = replace(network.schema, source_columns=columns)
    description = replace(version.bundle.description, network=replace(network, schema=schema))
    return replace(version, bundle=replace(version.bundle, description=description))


def renamed() -> pd.DataFrame:
    return station().rename(columns={"pump": "machine"})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (MACHINE, "column pump, the file says machine"),
        ({"timestamp": "ts"}, "column timestamp, the file says ts"),
        (PASCAL, "pressure in bar, the file says Pa"),
        ({"cadence": "10min"}, "rows 1:00:00 apart, the file says 0:10:00"),
        ({"entity": None, "entities": [], "derived": []}, "column pump, the file says none"),
        ({"derived": []}, "column flow_vs_peers, the file says none"),
        (
            {"features": {n: f for n, f in FEATURES.items() if n != "angle"}},
            "column angle, the file says none",
        ),
    ],
)
def test_scoring_refuses_a_live_version_that_needs_other_rows(filled, schema, said):
    filled.score(D[0])
    says(filled, **schema)

    with pytest.raises(DataError, match=f"version 1 of pumps needs {said}.*: train first"):
        filled.score(D[1])

    row = filled.rows("scorings", D[1]).iloc[-1]
    assert (row["verdict"], said in row["reason"]) == ("failed", True)
    assert filled.rows("scores", D[1]).empty


@pytest.mark.parametrize(
    "schema",
    [
        {"features": {**FEATURES, "flow": {**FEATURES["flow"], "range": [0, 99], "context": True}}},
        {"features": {**FEATURES, "heat": {"unit": "K"}}},
        {"evaluation_only": [], "incident": None, "exclude_from_training": []},
    ],
)
def test_a_change_that_the_live_version_does_not_need_is_harmless(filled, schema):
    says(filled, **schema)

    assert filled.score(D[1])["rows"] == ROWS_A_DAY


def test_a_day_of_another_meaning_is_refused_by_name_and_the_others_are_scored(filled):
    says(filled, **PASCAL)
    filled.ingest(D[3])
    says(filled)

    with pytest.raises(DataError) as refused:
        filled.score(*D[2:5])

    message = str(refused.value)
    assert "1 of 3 days of pumps have no scores" in message
    assert f"rows of {D[3]} have pressure in Pa instead of bar, as version 1 needs it" in message
    assert "ingest those days again" in message
    assert set(filled.rows("scores")["date"]) == {D[2], D[4]}

    filled.ingest(D[3])
    assert filled.score(*D[2:5])["rows"] == 3 * ROWS_A_DAY


def test_a_day_whose_rows_were_lost_is_not_scored_as_empty(filled):
    filled.ingest(D[0])
    filled.deliver(station().assign(flow=station()["flow"] + 0.001))
    filled.ingest(D[7])
    for _ in range(2):  # the change of the eighth day, and the first load
        newest = max((Path(filled.here.storage) / "pumps/telemetry/_delta_log").glob("*.json"))
        newest.unlink()

    with pytest.raises(DataError, match=f"rows of {D[2]} are gone from the table, although they"):
        filled.score(D[2])


def test_a_day_looks_back_on_no_row_of_another_meaning(here, monkeypatch):
    """As if the day before were not there: not one of its rows is read."""
    contents = []
    for name, earlier in (("alone", False), ("behind", True)):
        house = another_house(here, monkeypatch, name, window={"length": 3})
        house.deliver(station())
        if earlier:
            says(house, window={"length": 3}, **PASCAL)
            house.ingest(D[3])
            says(house, window={"length": 3})
        house.ingest(D[4])
        house.score(D[4])
        contents.append(house.content())

    alone, behind = contents
    assert alone == behind


def test_a_challenger_that_needs_other_rows_costs_its_shadow(filled):
    columns = make_spec(schema=PASCAL).columns.model_dump(mode="json")
    filled.live["challenger"] = fitted_under(filled.promote(2, alias="challenger"), columns)

    result = filled.score(D[1])

    assert result["rows"] == ROWS_A_DAY
    assert set(filled.rows("scores", D[1])["role"]) == {"champion"}
    reason = filled.rows("scorings", D[1]).iloc[-1]["reason"]
    assert "no shadow: version 2 of pumps needs pressure in Pa, the file says bar" in reason


def test_drift_is_not_judged_for_a_version_that_needs_other_rows(filled):
    filled.score(*D)
    says(filled, **PASCAL)

    with pytest.raises(DataError, match="needs pressure in bar, the file says Pa"):
        drifting.judge_days(settings.load(), "pumps", [D[7].isoformat()], run="r")


def test_drift_takes_no_row_of_another_meaning_for_evidence(filled):
    says(filled, **PASCAL)
    filled.ingest(D[3])
    says(filled)

    drifting.judge_days(settings.load(), "pumps", [D[3].isoformat()], run="r")

    assert D[3] not in set(filled.rows("drift")["date"])
    assert D[4] in set(filled.rows("drift")["date"])


def test_a_recalibration_refuses_rows_of_another_meaning(filled):
    version = filled.live["champion"]

    def window(*days):
        return read_window(
            settings.load(),
            filled.spec,
            version,
            days,
            as_of=midnight(D[7]),
            same_weights=frozenset({1}),
        )

    assert len(window(*D[:3]).frame) == 3 * ROWS_A_DAY
    says(filled, **PASCAL)
    filled.ingest(D[1])
    with pytest.raises(DataError, match="version 1 of pumps needs pressure in bar, the file"):
        window(*D[:3])
    says(filled)
    with pytest.raises(DataError, match=f"rows of {D[1]} have pressure in Pa instead of bar"):
        window(*D[:3])


def test_looking_back_refuses_rows_of_another_meaning(filled, monkeypatch):
    monkeypatch.setattr(live, "champion", lambda _here, name: filled.by_alias(name, "champion"))
    assert review.look_back(settings.load(), "pumps", D[0], D[2]).version == 1
    says(filled, **PASCAL)
    filled.ingest(D[1])
    says(filled)

    with pytest.raises(DataError, match="have pressure in Pa instead of bar"):
        review.look_back(settings.load(), "pumps", D[0], D[2])


def test_a_fine_tuning_goes_on_from_no_weights_that_know_other_rows(house, monkeypatch):
    monkeypatch.setattr(live, "champion", lambda _here, name: house.by_alias(name, "champion"))
    other = make_spec(schema=PASCAL)

    with pytest.raises(DataError, match="version 1 of pumps needs pressure in bar, the file"):
        warm_start.prepare(house.here, other, manifest=None, blocks=None)


def test_a_candidate_is_not_compared_with_a_champion_of_other_rows(house):
    bundle = house.live["champion"].bundle
    frame = make_telemetry(4, seed=7)

    assert compare(1, bundle, bundle, frame, pd.DataFrame(), house.spec) is not None
    other = make_spec(schema=PASCAL)
    assert compare(1, bundle, bundle, frame, pd.DataFrame(), other) is None
    other = make_spec(schema=MACHINE)
    named = frame.rename(columns={"pump": "machine"})
    assert compare(1, bundle, bundle, named, pd.DataFrame(), other) is None


def test_a_label_on_rows_from_before_the_machine_column_says_so(filled):
    by = Author("ann", datetime(2024, 1, 20, tzinfo=UTC))
    answer = LabelRequest("incident", start=f"{D[2]}", end=f"{D[2]}", entity="a")
    says(filled, **MACHINE)

    with pytest.raises(DataError, match=r"have no column machine; .*Ingest these days again"):
        labelling.label(settings.load(), "pumps", answer, by)

    filled.deliver(renamed())
    filled.ingest(D[2])
    assert labelling.label(settings.load(), "pumps", answer, by)["rows"] == 24


def test_a_version_that_was_fitted_without_a_file_is_reported(house):
    version = fitted_under(house.live["champion"], None)

    with pytest.raises(DataError, match="was fitted without a detector file"):
        refuse_unfit(version, house.spec)

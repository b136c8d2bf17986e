"""A detector file that changed while its tables hold days: nothing trains on a mixture."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from pipeline import tables
from pipeline.errors import DataError
from pipeline.store.ingestions import Attempt, on_record, record
from pipeline.store.telemetry import telemetry_table
from pipeline.store.training_window import read_training_window
from pipeline.tables import Table
from pipeline.tables.schemas import SCHEMAS
from tests.builders import ROWS_A_DAY, days, make_frame, make_spec, stored_in
from tests.data.ingesting import ingested

FEATURES = make_spec().columns.model_dump(mode="json")["features"]
DAYS = days(8)
NEXT = days(9)[8]
SPLIT = {"training_days": 8, "minimum_days": 6}


class Plant:
    """A pump farm whose file and deliveries change."""

    def __init__(self, root, folder):
        self.root, self.folder, self.runs = root, folder, 0
        self.here = stored_in(root)
        folder.mkdir()
        self.says()

    def says(self, **schema):
        source = {"kind": "parquet", "path": f"{self.folder}/{{date}}.parquet"}
        self.spec = make_spec(source=source, split=SPLIT, schema=schema)

    def ingest(self, *chosen, change=lambda frame: frame):
        for day in chosen:
            frame = change(make_frame(first_day=day))
            frame.to_parquet(self.folder / f"{day}.parquet", index=False)
        self.runs += 1
        now = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(minutes=self.runs)
        return ingested(self.here, self.spec, chosen, now=now, run_id=f"r{self.runs}")

    def window(self):
        return read_training_window(self.here, self.spec, NEXT)

    @property
    def telemetry(self):
        return tables.read(Table(self.root, "pumps", "telemetry"))


@pytest.fixture
def plant(tmp_path) -> Plant:
    made = Plant(str(tmp_path / "lake"), tmp_path / "deliveries")
    made.ingest(*DAYS[:6])
    return made


def machine_for_pump(frame):
    return frame.rename(columns={"pump": "machine"})


def unit(name):
    return {"features": {**FEATURES, "pressure": {**FEATURES["pressure"], "unit": name}}}


CHANGES = [
    ({"entity": "machine"}, machine_for_pump, "have no column machine (theirs is pump)"),
    (
        {"timestamp": "ts"},
        lambda f: f.rename(columns={"timestamp": "ts"}),
        "have no column ts (theirs is timestamp)",
    ),
    (unit("Pa"), lambda f: f, "have pressure in bar instead of Pa"),
    (
        {"features": {**FEATURES, "heat": {"unit": "K"}}},
        lambda f: f.assign(heat=f["flow"] * 2),
        "have no heat",
    ),
    (
        {"evaluation_only": ["eval_incident", "eval_off"], "incident": "eval_off"},
        lambda f: f.assign(eval_off=False),
        "have no eval_off",
    ),
    (
        {"features": {**FEATURES, "angle": {**FEATURES["angle"], "circular": False}}},
        lambda f: f,
        "have angle as an angle instead of a plain number",
    ),
]


@pytest.mark.parametrize(("schema", "change", "said"), CHANGES)
def test_a_window_over_the_change_is_refused_and_fits_once_its_days_are_ingested_again(
    plant, schema, change, said
):
    plant.says(**schema)
    plant.ingest(*DAYS[6:], change=change)

    with pytest.raises(DataError) as refused:
        plant.window()
    message = str(refused.value)
    assert f"rows of 2024-01-01 to 2024-01-06 {said}; they were ingested before" in message
    assert "Ingest those days again with the load DAG" in message

    plant.ingest(*DAYS[:6], change=change)
    frame = plant.window().frame
    assert len(frame) == 8 * ROWS_A_DAY
    assert not frame.duplicated(plant.spec.columns.row_key).any()


def test_days_of_another_cadence_are_refused(plant):
    plant.says(cadence="2h")
    plant.ingest(*DAYS[6:], change=lambda f: f[f["timestamp"].dt.hour % 2 == 0])

    with pytest.raises(DataError, match="are 1:00:00 apart instead of 2:00:00"):
        plant.window()


def test_a_window_that_begins_behind_the_change_is_not_refused(plant):
    plant.says(entity="machine")
    plant.ingest(*DAYS[6:], change=machine_for_pump)
    shorter = plant.spec.split.model_copy(update={"training_days": 2, "minimum_days": 2})
    plant.spec = plant.spec.model_copy(update={"split": shorter})

    assert plant.window().manifest.first_day == DAYS[6]


@pytest.mark.parametrize(
    "schema",
    [
        {"features": {**FEATURES, "flow": {**FEATURES["flow"], "stuck_after": "8h"}}},
        {"features": {**FEATURES, "flow": {**FEATURES["flow"], "context": True}}},
        {"features": {n: f for n, f in FEATURES.items() if n != "angle"}},
        {"derived": []},
    ],
)
def test_what_leaves_rows_as_they_are_is_not_refused(plant, schema):
    plant.says(**schema)
    plant.ingest(*DAYS[6:])

    assert plant.window().manifest.days == 8


def test_the_same_rows_under_another_unit_are_kept_with_their_new_meaning(plant):
    before = plant.telemetry
    plant.says(**unit("Pa"))

    (attempt,) = plant.ingest(DAYS[0])

    assert (attempt.verdict, attempt.difference) == ("validated", None)
    pd.testing.assert_frame_equal(plant.telemetry, before)
    known = on_record(plant.here, "pumps", DAYS[0], DAYS[1]).meanings
    assert [known[day].units["pressure"] for day in DAYS[:2]] == ["Pa", "bar"]


def test_a_day_that_is_blocked_later_keeps_the_meaning_of_the_rows_it_has(plant):
    plant.says(**unit("Pa"))
    (attempt,) = plant.ingest(DAYS[0], change=lambda f: f.assign(pressure=99 * f["pressure"]))

    assert attempt.verdict == "quarantined"
    assert (
        on_record(plant.here, "pumps", DAYS[0], DAYS[0]).meanings[DAYS[0]].units["pressure"]
        == "bar"
    )


def test_ingestion_says_that_the_days_before_mean_something_else(plant):
    plant.says(entity="machine")
    with capture_logs() as logs:
        plant.ingest(DAYS[6], change=machine_for_pump)

    (message,) = [each for each in logs if each["event"] == "other_days_mean_otherwise"]
    assert message["why"] == (
        "rows of 2024-01-01 to 2024-01-06 have no column machine (theirs is pump)"
    )


def test_a_day_without_a_dropped_column_is_unchanged_when_it_comes_again(plant):
    plant.says(features={n: f for n, f in FEATURES.items() if n != "angle"})
    (first,), (again,) = plant.ingest(DAYS[0]), plant.ingest(DAYS[0])

    assert first.difference is not None  # the column's values are gone
    assert again.verdict == "unchanged"


def forgotten(plant):
    """The table `ingestions` as an earlier release left it: it kept no meaning and no order."""
    table = Table(plant.root, "pumps", "ingestions")
    rows = tables.read(table, keep_date=True)
    shutil.rmtree(table.uri)
    known = [field for field in SCHEMAS["ingestions"] if field.name not in ("meaning", "commit")]
    tables.append(table, pa.Table.from_pandas(rows, schema=pa.schema(known), preserve_index=False))


def test_tables_of_an_earlier_release_still_train(plant):
    forgotten(plant)

    assert plant.window().manifest.days == 6
    assert on_record(plant.here, "pumps", DAYS[0], DAYS[5]).meanings == {}
    (again,) = plant.ingest(DAYS[0])
    assert again.verdict == "unchanged"
    assert set(on_record(plant.here, "pumps", DAYS[0], DAYS[5]).meanings) == {DAYS[0]}


def test_rows_of_an_earlier_release_under_another_machine_column_are_found_by_what_they_lack(plant):
    forgotten(plant)
    plant.says(entity="machine")
    plant.ingest(*DAYS[6:], change=machine_for_pump)

    with pytest.raises(DataError, match=r"432 of 576 rows have no machine, those of 2024-01-01 to"):
        plant.window()


def test_rows_of_an_earlier_release_that_share_a_key_are_refused(plant):
    forgotten(plant)
    plant.says(entity=None, entities=[], derived=[])

    with pytest.raises(DataError, match="share timestamp with another row, so that machines"):
        plant.window()


def test_a_column_whose_name_differs_in_case_alone_is_a_fault_of_the_file(plant):
    plant.says(entity="Pump")

    with pytest.raises(DataError, match=r"Pump.*letters are upper case.*source.rename"):
        plant.ingest(DAYS[6], change=lambda f: f.rename(columns={"pump": "Pump"}))


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_text("")])
def test_a_window_is_refused_whose_newest_commit_was_lost_and_a_new_ingestion_fixes_it(plant, lose):
    plant.ingest(DAYS[6])
    lose(max((Path(plant.root) / "pumps/telemetry/_delta_log").glob("*.json")))

    with pytest.raises(DataError, match=f"rows of {DAYS[6]} are gone from the table.*commits"):
        plant.window()

    plant.ingest(DAYS[6])
    assert plant.window().manifest.last_day == DAYS[6]


def test_a_day_whose_rows_were_withdrawn_is_no_loss(plant):
    plant.ingest(DAYS[6])
    (Path(plant.folder) / f"{DAYS[6]}.parquet").unlink()
    table = Table(plant.root, "pumps", "telemetry")
    empty = telemetry_table(None, plant.spec.columns)
    tables.replace_days(table, [DAYS[6]], empty, metadata={})
    record(plant.here, "pumps", [Attempt(DAYS[6], datetime.now(UTC), "r", "empty", "empty")])

    assert plant.window().manifest.last_day == DAYS[5]


def test_a_column_that_held_something_else_is_refused_and_not_cast(tmp_path):
    table = Table(str(tmp_path), "pumps", "telemetry")
    day = days(1)[0]
    held = pa.table({"date": [day], "x": pa.array([1.5], pa.float32())})
    tables.replace_days(table, [day], held, metadata={})

    for other in (
        pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        pa.array(["7"]),
    ):
        with pytest.raises(DataError, match=r"holds numbers and would hold (times|text)"):
            tables.replace_days(table, [day], pa.table({"date": [day], "x": other}), metadata={})

    assert tables.read(table)["x"].tolist() == [1.5]

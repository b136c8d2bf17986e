import json
import multiprocessing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import records
from pipeline.config import DetectorSpec
from pipeline.data.fingerprint import Difference, fingerprint, row_hashes
from pipeline.errors import DamagedFile, DataError, OutageError, PartitionBlocked, TableConflict
from pipeline.steps import ingestion
from pipeline.steps.fetched_days import fetch_days
from pipeline.steps.ingestion import refuse_attempts, validate_staged, write_staged
from pipeline.store.ingestions import Attempt, latest_states, record_failure
from pipeline.store.staged import Staged
from pipeline.tables import Table, current_version, days_in, read, replace_days
from tests.builders import FIRST_DAY, ROWS_A_DAY, days, make_frame, make_spec, on, stored_in
from tests.data.ingesting import ingested

NOON = datetime(2024, 2, 1, 12, tzinfo=UTC)
DAY = FIRST_DAY.isoformat()


class Plant:
    """A pump farm whose source is a folder that the test fills, and its tables."""

    def __init__(self, root: str, folder: Path) -> None:
        self.root, self.folder = root, folder
        self.here = stored_in(root)
        source = {"kind": "parquet", "path": f"{folder}/{{date}}.parquet"}
        # Every channel is needed, so that what is wrong with one of them rejects the row.
        self.spec: DetectorSpec = make_spec(source=source, validation={"minimum_channels": 3})
        self.runs = 0

    def deliver(self, frame: pd.DataFrame, day=FIRST_DAY) -> None:
        self.folder.mkdir(exist_ok=True)
        frame.to_parquet(self.folder / f"{day}.parquet", index=False)

    def ingest(self, *chosen) -> list[Attempt]:
        self.runs += 1
        now = NOON + timedelta(minutes=self.runs)
        chosen = chosen or [FIRST_DAY]
        return ingested(self.here, self.spec, chosen, now=now, run_id=f"run-{self.runs}")

    def table(self, name: str) -> pd.DataFrame:
        rows = read(Table(self.root, "pumps", name), keep_date=name == "ingestions")
        order = [c for c in ("attempted_at", "timestamp", "pump", "entity", "row") if c in rows]
        return rows.sort_values(order, ignore_index=True)

    def versions(self) -> tuple[int | None, ...]:
        return tuple(
            current_version(Table(self.root, "pumps", name)) for name in ("telemetry", "quarantine")
        )


@pytest.fixture
def plant(root, tmp_path) -> Plant:
    return Plant(root, tmp_path / "deliveries")


@pytest.fixture
def local(tmp_path) -> Plant:
    return Plant(str(tmp_path / "lake"), tmp_path / "deliveries")


def content_hash(rows: pd.DataFrame) -> str:
    return fingerprint(row_hashes(rows), rows.columns)


def with_bad_rows(n: int = 4) -> pd.DataFrame:
    frame = make_frame()
    frame.loc[on(frame, "a", range(n)), "pressure"] = 99.0
    return frame


def stuck() -> pd.DataFrame:
    frame = make_frame()
    frame.loc[on(frame, "b"), "flow"] = 33.3
    return frame


def test_a_day_becomes_telemetry_quarantine_and_an_attempt(plant):
    plant.deliver(with_bad_rows())

    (attempt,) = plant.ingest()

    telemetry, quarantine = plant.table("telemetry"), plant.table("quarantine")
    assert len(telemetry) == ROWS_A_DAY - 4
    assert list(telemetry) == [
        "timestamp", "pump", *plant.spec.columns.feature_columns, "eval_incident",
    ]  # fmt: skip
    assert list(quarantine["rule"]) == ["out_of_range"] * 4
    assert (attempt.verdict, attempt.accepted, attempt.rejected) == ("validated", 68, 4)
    (row,) = plant.table("ingestions").to_dict("records")
    assert json.loads(row["rules"]) == {"out_of_range:pressure": 4}
    assert (row["run_id"], row["verdict"], row["telemetry_version"]) == ("run-1", "validated", 1)


def test_the_same_input_twice_changes_nothing_and_is_recorded(plant):
    plant.deliver(with_bad_rows())
    plant.ingest()
    before = plant.versions(), plant.table("telemetry"), plant.table("quarantine")

    (attempt,) = plant.ingest()

    assert (attempt.verdict, attempt.standing) == ("unchanged", "validated")
    assert plant.versions() == before[0]
    pd.testing.assert_frame_equal(plant.table("telemetry"), before[1])
    pd.testing.assert_frame_equal(plant.table("quarantine"), before[2])
    assert len(plant.table("ingestions")) == 2


def test_bad_times_and_cells_go_to_quarantine_and_nothing_is_lost(plant):
    frame = make_frame().astype({"timestamp": object, "flow": object})
    frame["timestamp"] = frame["timestamp"].map(lambda time: time.isoformat())
    frame.loc[[0, 1], "timestamp"] = [None, "9999-12-31T00:00:00Z"]
    frame.loc[2, "timestamp"] = "1970-01-01T00:00:00Z"
    frame["flow"] = frame["flow"].map(str)
    frame.loc[3, "flow"] = "broken"
    plant.deliver(frame)

    (attempt,) = plant.ingest()

    assert (attempt.delivered, attempt.accepted) == (ROWS_A_DAY, ROWS_A_DAY - 4)
    assert attempt.rules == {"unusable_time": 2, "outside_day": 1, "wrong_type:flow": 1}
    rejected = [json.loads(row) for row in plant.table("quarantine")["row"]]
    assert {row["timestamp"] for row in rejected} >= {None, "9999-12-31T00:00:00Z"}
    assert "broken" in {row["flow"] for row in rejected}
    (again,) = plant.ingest()
    assert again.verdict == "unchanged"


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1677, 12, 31), date(9999, 12, 31)])
def test_a_day_that_no_table_can_hold_is_refused_by_name(local, day):
    with pytest.raises(DataError, match=rf"the day {day} lies outside the years 1678 to 2261"):
        local.ingest(day)


def test_a_machine_is_the_same_on_each_day_whatever_is_fetched_with_it(local):
    for day, missing in zip(days(2), (False, True), strict=True):
        frame = make_frame(first_day=day)
        frame["pump"] = frame["pump"].map({"a": 1, "b": 2, "c": 3}).astype("Int64")
        frame.loc[0, "pump"] = pd.NA if missing else 1
        local.deliver(frame, day)
    local.spec = make_spec(source=local.spec.source.model_dump(), schema={"entities": []})

    local.ingest(*days(2))
    together = local.table("telemetry")
    alone = Plant(f"{local.root}-alone", local.folder)
    alone.spec = local.spec
    for day in days(2)[::-1]:
        alone.ingest(day)

    assert set(together["pump"]) == {"1", "2", "3"}
    pd.testing.assert_frame_equal(together, alone.table("telemetry"))


def test_a_day_whose_machines_are_spelled_anew_is_written_anew(local):
    spec = make_spec(source=local.spec.source.model_dump(), schema={"entities": []})
    local.spec = spec
    local.deliver(make_frame().replace({"pump": {"a": "1"}}))
    local.ingest()
    local.deliver(make_frame().replace({"pump": {"a": "1.0"}}))

    (attempt,) = local.ingest()

    assert attempt.verdict == "validated"
    assert "1.0" in set(local.table("telemetry")["pump"])


def test_changed_input_makes_a_new_version_with_the_difference(plant):
    plant.deliver(make_frame().iloc[6:])
    plant.ingest()
    changed = make_frame()
    changed.loc[50:52, "angle"] = 7.0  # three rows; angles have no peers to be compared with

    plant.deliver(changed.iloc[3:-2])
    (attempt,) = plant.ingest()

    assert attempt.verdict == "validated"
    # Two rows are gone, and with them the peers of a third.
    assert attempt.difference == Difference(added=3, removed=3, changed=3)
    stored = json.loads(plant.table("ingestions")["difference"].iloc[-1])
    assert stored == {"added": 3, "removed": 3, "changed": 3}
    assert attempt.telemetry_version == 2


def test_a_blocked_day_goes_to_quarantine_and_leaves_telemetry_alone(plant):
    plant.deliver(make_frame())
    plant.ingest()
    before = plant.table("telemetry")

    plant.deliver(stuck())
    (attempt,) = plant.ingest()

    assert (attempt.verdict, attempt.accepted) == ("quarantined", 0)
    assert "stuck sensor flow on b" in attempt.reasons
    pd.testing.assert_frame_equal(plant.table("telemetry"), before)
    assert len(plant.table("quarantine")) == ROWS_A_DAY


def test_a_day_that_was_blocked_last_is_blocked_whatever_the_clock_of_that_worker_said(plant):
    plant.deliver(make_frame())
    plant.ingest()
    plant.runs = -24 * 60  # the next worker's clock is a day back
    plant.deliver(stuck())
    plant.ingest()

    (state,) = latest_states(plant.here, "pumps")
    assert state.standing == "quarantined"
    with pytest.raises(PartitionBlocked):
        refuse_attempts([state])
    (again,) = plant.ingest()
    assert again.verdict == "unchanged"  # it is compared with the last attempt, not the latest time


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"PAR1 no more")])
def test_a_day_whose_file_is_damaged_is_fixed_by_ingesting_it_again(local, damage):
    some = days(3)
    for day in some:
        local.deliver(make_frame(first_day=day), day)
    local.ingest(*some)
    before = local.table("telemetry")
    (broken,) = Path(local.root).glob(f"pumps/telemetry/date={some[1]}/*.parquet")
    damage(broken)
    with pytest.raises(DamagedFile, match=f"date={some[1]}.*Ingest that day again"):
        local.table("telemetry")

    attempts = local.ingest(*some)

    pd.testing.assert_frame_equal(local.table("telemetry"), before)
    assert [each.verdict for each in attempts] == ["unchanged", "validated", "unchanged"]
    assert attempts[1].difference.unknown
    stored = local.table("ingestions").iloc[-3:].set_index("date")["difference"]
    assert json.loads(stored[some[1]]) == {"unknown": True}
    assert stored.drop(some[1]).isna().all()


def test_a_damaged_quarantine_is_fixed_likewise(local):
    local.deliver(stuck())
    local.ingest()
    (broken,) = Path(local.root).glob("pumps/quarantine/date=*/*.parquet")
    broken.write_bytes(b"no parquet")

    local.deliver(with_bad_rows())
    local.ingest()

    assert set(local.table("quarantine")["rule"]) == {"out_of_range"}


def test_a_fixed_day_leaves_quarantine(plant):
    plant.deliver(stuck())
    plant.ingest()

    plant.deliver(make_frame())
    (attempt,) = plant.ingest()

    assert (attempt.verdict, attempt.difference) == ("validated", None)
    assert len(plant.table("telemetry")) == ROWS_A_DAY
    assert plant.table("quarantine").empty


def test_one_blocked_day_raises_after_everything_is_recorded(local):
    local.deliver(stuck())

    with pytest.raises(PartitionBlocked, match=r"2024-01-01: rejected 24 of 72 rows \(33%\)"):
        refuse_attempts(local.ingest())

    assert list(local.table("ingestions")["verdict"]) == ["quarantined"]
    assert len(local.table("quarantine")) == ROWS_A_DAY


def test_a_blocked_day_stays_blocked_when_it_is_tried_again(local):
    local.deliver(stuck())
    local.ingest()

    (attempt,) = local.ingest()

    assert (attempt.verdict, attempt.standing) == ("unchanged", "quarantined")
    with pytest.raises(PartitionBlocked):
        refuse_attempts([attempt])


def test_a_day_without_rows_is_recorded_as_empty_and_keeps_older_rows(local):
    local.deliver(make_frame())
    local.ingest()
    (local.folder / f"{FIRST_DAY}.parquet").unlink()

    first, second = local.ingest()[0], local.ingest()[0]

    assert (first.verdict, first.telemetry_version) == ("empty", 1)
    assert (second.verdict, second.standing) == ("unchanged", "empty")
    assert len(local.table("telemetry")) == ROWS_A_DAY


def test_a_failure_in_between_does_not_hide_what_was_there(local):
    local.deliver(make_frame())
    local.ingest()
    later = NOON + timedelta(minutes=local.runs, seconds=1)
    record_failure(local.here, local.spec, [FIRST_DAY], "broken", now=later, run_id="broken")

    assert local.ingest()[0].verdict == "unchanged"


def test_a_lost_record_of_a_written_day_is_made_good(local, monkeypatch):
    local.deliver(make_frame())
    with monkeypatch.context() as broken:
        broken.setattr(
            "pipeline.store.writing.record", lambda *_: (_ for _ in ()).throw(OutageError)
        )
        with pytest.raises(OutageError):
            local.ingest()

    (attempt,) = local.ingest()

    assert attempt.verdict == "validated"
    assert local.versions()[0] == 1


def test_losing_to_other_writers_for_good_is_an_outage_with_the_fix(local, monkeypatch):
    def conflict(*_, **__):
        raise TableConflict

    local.deliver(make_frame())
    monkeypatch.setattr("pipeline.store.writing.replace_days", conflict)
    monkeypatch.setattr("pipeline.retrying._FIRST_WAIT_S", 0)

    with pytest.raises(OutageError, match=r"2024-01-01 to 2024-01-01 12 times.*fewer runs"):
        local.ingest()


def test_another_contract_validates_the_same_rows_again(local):
    local.deliver(make_frame())
    local.ingest()
    features = local.spec.columns.model_dump(mode="json")["features"]
    features["pressure"]["range"] = [0, 5.5]
    local.spec = make_spec(
        source=local.spec.source.model_dump(), schema={"features": features},
        validation={"maximum_rejected": 1.0, "minimum_channels": 3},
    )  # fmt: skip

    (attempt,) = local.ingest()

    assert attempt.verdict == "validated"
    assert attempt.difference.removed == attempt.rejected > 0


def test_many_days_at_once_leave_the_same_tables_as_day_by_day(tmp_path):
    bulk, daily = (Plant(str(tmp_path / name), tmp_path / "in") for name in ("bulk", "daily"))
    source, tolerant = bulk.spec.source.model_dump(), {"cadence_tolerance": 0.1}
    bulk.spec = daily.spec = make_spec(source=source, validation=tolerant)
    chosen = days(34)  # more than one chunk
    for number, day in enumerate(chosen):
        frame = make_frame(first_day=day)
        if number % 4 == 0:  # nearest to the grid point of the next day
            frame.loc[on(frame, "c", [23]), "timestamp"] += timedelta(minutes=58)
        if number % 5 == 0:
            frame.loc[on(frame, "a", range(3)), "pressure"] = 99.0
        if number == 7:
            frame.loc[on(frame, "b"), "flow"] = 33.3
        if number != 12:
            bulk.deliver(frame, day)

    together = bulk.ingest(*chosen)
    apart = [daily.ingest(day)[0] for day in reversed(chosen)][::-1]

    for name in ("telemetry", "quarantine"):
        pd.testing.assert_frame_equal(bulk.table(name), daily.table(name))
        assert content_hash(bulk.table(name)) == content_hash(daily.table(name))
    assert [a.fingerprint for a in together] == [a.fingerprint for a in apart]
    assert [(a.verdict, a.reasons, a.rules) for a in together] == [
        (a.verdict, a.reasons, a.rules) for a in apart
    ]
    assert bulk.versions()[0] == 2  # one commit for each chunk


def test_days_with_a_gap_between_them_do_not_touch_the_days_in_the_gap(local):
    for day in days(3):
        local.deliver(make_frame(first_day=day), day)

    local.ingest(days(3)[0], days(3)[2])

    assert days_in(Table(local.root, "pumps", "telemetry")) == [days(3)[0], days(3)[2]]


def test_stages_hand_each_other_plain_json(local):
    local.deliver(make_frame())

    staged = fetch_days(local.here, local.spec, [FIRST_DAY])
    travelled = json.loads(json.dumps(records.to_json(staged)))

    again = records.from_json(Staged, travelled)
    validate_staged(local.here, local.spec, again)
    (attempt,) = write_staged(local.here, local.spec, again, now=NOON, run_id="r")
    assert attempt.verdict == "validated"


def test_no_day_at_all_is_refused(local):
    with pytest.raises(DataError, match="no day to ingest"):
        fetch_days(local.here, local.spec, [])


@settings(max_examples=10)  # each one commits to real tables
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_the_order_of_rows_and_of_attempts_changes_nothing(tmp_path_factory, random, repeats):
    place = tmp_path_factory.mktemp("order")
    straight, mixed = (Plant(str(place / n), place / f"in-{n}") for n in ("straight", "mixed"))
    attempts = [day for day in days(3) for _ in range(repeats)]
    for day in days(3):
        frame = make_frame(first_day=day)
        frame = pd.concat([frame, frame[on(frame, "a", [3])].assign(flow=31.0)])
        straight.deliver(frame, day)
        mixed.deliver(frame.sample(frac=1, random_state=random.randint(0, 9999)), day)
    random.shuffle(attempts)

    straight.ingest(*days(3))
    for day in attempts:
        mixed.ingest(day)

    for name in ("telemetry", "quarantine"):
        pd.testing.assert_frame_equal(mixed.table(name), straight.table(name))
    verdicts = mixed.table("ingestions")["verdict"].value_counts().to_dict()
    assert verdicts == {"validated": 3} | ({"unchanged": 3 * repeats - 3} if repeats > 1 else {})


def _ingest_in_process(root: str, folder: Path, number: int, together) -> None:
    plant = Plant(root, folder)
    own = days(3)[number % 3]
    together.wait()
    plant.runs = number
    plant.ingest(own)
    plant.ingest(*days(3))


def test_processes_that_ingest_at_once_lose_and_double_nothing(plant):
    for day in days(3):
        frame = make_frame(first_day=day)
        frame.loc[on(frame, "a", range(3)), "pressure"] = 99.0
        plant.deliver(frame, day)
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(4)
    writers = [
        context.Process(target=_ingest_in_process, args=(plant.root, plant.folder, n, together))
        for n in range(4)
    ]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)

    assert [writer.exitcode for writer in writers] == [0] * 4
    telemetry, quarantine = plant.table("telemetry"), plant.table("quarantine")
    assert len(telemetry) == len(telemetry.drop_duplicates(["timestamp", "pump"])) == 3 * 69
    assert len(quarantine) == len(quarantine.drop_duplicates(["timestamp", "entity"])) == 9
    assert len(plant.table("ingestions")) == 4 * (1 + 3)


@pytest.mark.parametrize("commits_before", [0, 1], ids=["before both tables", "between the two"])
def test_a_writer_that_is_overtaken_decides_anew(plant, monkeypatch, commits_before):
    """Whoever is last wins both tables: a row is accepted or rejected, never both or neither."""
    other = Plant(plant.root, plant.folder.with_name("other"))
    other.deliver(with_bad_rows(5))
    plant.deliver(with_bad_rows(2))
    commits = []

    def overtaken(*given, **more):
        commits.append(given)
        if len(commits) == commits_before + 1:
            other.ingest()
        return replace_days(*given, **more)

    monkeypatch.setattr("pipeline.store.writing.replace_days", overtaken)
    (attempt,) = plant.ingest()

    assert len(plant.table("telemetry")) == ROWS_A_DAY - 2
    assert len(plant.table("quarantine")) == 2
    assert attempt.difference.added == 3


@pytest.mark.parametrize("name", ["eval_incident", "flow"])
def test_a_file_without_a_column_blocks_its_day_whatever_is_fetched_with_it(local, name):
    local.deliver(make_frame().drop(columns=name))
    local.deliver(make_frame(first_day=days(2)[1]), days(2)[1])
    alone = Plant(f"{local.root}-alone", local.folder)

    local.ingest(*days(2))
    for day in days(2):
        alone.ingest(day)

    attempts = local.table("ingestions").set_index("verdict")
    assert sorted(attempts.index) == ["quarantined", "validated"]
    assert f"column {name} is missing" in attempts.loc["quarantined", "reasons"]
    for table in ("telemetry", "quarantine"):
        pd.testing.assert_frame_equal(local.table(table), alone.table(table))


def test_marks_that_are_booleans_in_one_file_and_words_in_another_go_together(local):
    local.deliver(make_frame().assign(eval_incident=True))
    words = make_frame(first_day=days(2)[1]).assign(eval_incident="Y")
    local.deliver(words, days(2)[1])

    local.ingest(*days(2))

    assert local.table("telemetry")["eval_incident"].all()


@pytest.mark.parametrize(
    ("delivered", "names"),
    [
        ([b"\x01\x90\x00\xa1", b"\x01\x90\x00\xa2"], {"019000a1", "019000a2"}),
        (["p\x001", "p\x002"], {r"p\01", r"p\02"}),
    ],
    ids=["bytes", "text"],
)
def test_machines_are_distinguished_behind_a_byte_that_is_zero(local, delivered, names):
    one = make_frame().iloc[::3]
    local.deliver(pd.concat([one.assign(pump=name) for name in delivered], ignore_index=True))
    local.spec = make_spec(
        source=local.spec.source.model_dump(), schema={"entities": [], "derived": []}
    )

    local.ingest()

    assert set(local.table("telemetry")["pump"]) == names


@pytest.fixture
def pumps(here):
    """A detector file whose source is `pumps.parquet` below the data root; that path."""
    spec = make_spec(source={"kind": "parquet", "path": "pumps.parquet"})
    content = spec.model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    return Path(here.data) / "pumps.parquet"


def attempts(here):
    return read(Table(here.storage, "pumps", "ingestions"), keep_date=True)


def ingest(here):
    run = "pumps__ingest/r1"
    fetched = through_airflow(ingestion.fetch(here, "pumps", [DAY], run=run))
    validated = through_airflow(ingestion.validate(here, fetched, run=run))
    return ingestion.write(here, validated, run=run)


def through_airflow(payload):
    return json.loads(json.dumps(payload))


def test_three_tasks_bring_a_day_into_the_tables(here, pumps):
    make_frame(2).to_parquet(pumps)

    result = ingest(here)

    telemetry = read(Table(here.storage, "pumps", "telemetry"), keep_date=True)
    assert result == {
        "days": 1,
        "accepted": ROWS_A_DAY,
        "rejected": 0,
        "verdicts": {"validated": 1},
    }
    assert set(telemetry["date"]) == {FIRST_DAY}
    assert list(attempts(here)["run_id"]) == ["pumps__ingest/r1"]


def test_a_source_that_does_not_answer_is_recorded_before_it_is_raised(here, pumps):
    with pytest.raises(OutageError, match=pumps.name):
        ingestion.fetch(here, "pumps", [DAY, "2024-01-02"], run="pumps__ingest/r1")

    recorded = attempts(here)
    assert list(recorded["standing"]) == ["failed", "failed"]
    assert recorded["reasons"].str.startswith("OutageError: source.path").all()


def test_a_blocked_day_is_recorded_once_and_then_refused_by_name(here, pumps):
    frame = make_frame(1)
    frame.assign(flow=frame["flow"] * 1000).to_parquet(pumps)

    with pytest.raises(PartitionBlocked, match=f"{DAY}: .*implausible day flow"):
        ingest(here)

    assert list(attempts(here)["standing"]) == ["quarantined"]


def test_staged_files_that_are_gone_are_recorded_as_a_failure(here, pumps):
    make_frame(1).to_parquet(pumps)
    fetched = ingestion.fetch(here, "pumps", [DAY], run="r")
    for file in Path(fetched["parts"][0]["folder"]).iterdir():
        file.unlink()

    with pytest.raises(Exception, match=r"raw\.parquet"):
        ingestion.validate(here, fetched, run="r")

    assert list(attempts(here)["standing"]) == ["failed"]


@pytest.mark.usefixtures("pumps")
def test_a_day_that_has_not_begun_is_refused_and_leaves_no_record(here):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()

    with pytest.raises(DataError, match=f"the day {tomorrow} has not begun"):
        ingestion.fetch(here, "pumps", [tomorrow], run="r")

    assert not len(attempts(here))


def test_losing_to_other_writers_for_good_is_recorded(here, pumps, monkeypatch):
    def conflict(*_, **__):
        raise TableConflict

    make_frame(1).to_parquet(pumps)
    monkeypatch.setattr("pipeline.store.writing.replace_days", conflict)
    monkeypatch.setattr("pipeline.retrying._FIRST_WAIT_S", 0)

    with pytest.raises(OutageError, match="12 times"):
        ingest(here)

    assert list(attempts(here)["standing"]) == ["failed"]


def test_a_file_that_is_broken_is_recorded_for_each_day(here, pumps):
    pumps.write_bytes(b"broken")

    with pytest.raises(DataError, match="no Parquet file"):
        ingestion.load(here, "pumps", [DAY, "2024-01-02"], run="r")

    assert list(attempts(here)["standing"]) == ["failed", "failed"]
    assert attempts(here)["reasons"].str.contains("no Parquet file").all()


def test_channels_that_have_never_moved_are_told_at_the_first_load_and_stay(here, pumps, capsys):
    frame = make_frame(3).assign(pressure=5.0)
    frame.to_parquet(pumps)

    ingest(here)
    first = capsys.readouterr().out
    for day in days(3)[1:]:
        ingestion.load(here, "pumps", [str(day)], run="r")
    later = capsys.readouterr().out

    assert "channels_never_moved" in first
    assert "pressure of a, pressure of b, pressure of c" in first
    assert "channels_never_moved" not in later
    rows = read(Table(here.storage, "pumps", "telemetry"))
    assert rows["pressure"].eq(5.0).all()
    assert len(rows) == 3 * ROWS_A_DAY


def test_a_channel_that_stands_still_after_it_moved_is_missing(here, pumps):
    frame = make_frame(2)
    frame.loc[frame["timestamp"].dt.date.eq(days(2)[1]) & on(frame, "b"), "pressure"] = 5.0
    frame.to_parquet(pumps)

    ingest(here)
    ingestion.load(here, "pumps", [str(days(2)[1])], run="r")

    rows = read(Table(here.storage, "pumps", "telemetry"))
    assert int(rows["pressure"].isna().sum()) == 24

"""A fine-tuning through the steps of the train DAG, on tables and a registry of its own."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
import yaml

from pipeline import settings, staging
from pipeline.cases import CaseSpan
from pipeline.config import DetectorSpec
from pipeline.data.label import Label
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.detector.bundle.lineage import Start
from pipeline.detector.inputs.frames import feature_values
from pipeline.errors import BundleError, DataError
from pipeline.evaluation.diagnostics import diagnose
from pipeline.records import from_json
from pipeline.registry import versions as registered
from pipeline.steps import candidate as staged
from pipeline.steps import evaluating, fitting, gating, warm_start
from pipeline.steps.candidate import Candidate, JudgedCandidate
from pipeline.steps.origin import TrainingInputs, origin_of
from pipeline.store.labels import add_labels
from tests.builders import days, make_frame, moment
from tests.steps.plant_world import HISTORY, TRAINED, World, make_world

pytestmark = [
    pytest.mark.usefixtures("world"),
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

MOVED = days(41)[-1]
AS_OF = days(HISTORY + 1)[-1]
FAULT = pd.Timestamp(days(67)[-1], tz="UTC")  # a day that trains


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """From day 41 on pressure lies higher; on one late day pump a is far off for six hours."""
    frame = make_frame(HISTORY)
    frame.loc[frame["timestamp"].dt.date >= MOVED, "pressure"] += 0.15
    hours = frame["timestamp"].between(FAULT, FAULT + timedelta(hours=5))
    frame.loc[(frame["pump"] == "a") & hours, "pressure"] += 5
    with pytest.MonkeyPatch.context() as patch:
        yield make_world(tmp_path_factory.mktemp("farm"), patch, frame)


def with_file(world: World, **sections: object) -> DetectorSpec:
    """The detector file with some sections amended."""
    base = world.spec
    amended = {
        name: getattr(base, name).model_copy(update=change) for name, change in sections.items()
    }
    spec = base.model_copy(update=amended)
    content = spec.model_dump(mode="json", by_alias=True)
    (world.here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return spec


@pytest.fixture(autouse=True)
def file(world):
    yield with_file(world, fine_tuning={"recent_days": 12, "replay_days": 8, "steps": 80})
    with_file(world)


def tune() -> Candidate:
    return from_json(
        Candidate, fitting.window(settings.load(), "pumps", AS_OF.isoformat(), warm_start=True)
    )


@pytest.fixture(scope="module")
def judged(world) -> JudgedCandidate:
    """A fine-tuned candidate that went all the way to its gate."""
    with_file(world, fine_tuning={"recent_days": 12, "replay_days": 8, "steps": 80})
    payload = fitting.window(settings.load(), "pumps", AS_OF.isoformat(), warm_start=True)
    payload = fitting.calibrate(
        settings.load(), fitting.train(settings.load(), payload, run="pumps__train/r2")
    )
    with pytest.MonkeyPatch.context() as patch:
        # Evidently's page takes half a minute to import and is tested beside its code.
        patch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
        payload = evaluating.drift(settings.load(), evaluating.evaluate(settings.load(), payload))
    payload = gating.gate(settings.load(), payload, run="pumps__train/r2")
    return from_json(JudgedCandidate, payload)


def start_of(candidate: Candidate) -> Start | None:
    return origin_of(candidate, TrainingInputs)[1].start


def rows_of(candidate: Candidate, name: str) -> pd.DataFrame:
    return staging.read_table(f"{candidate.folder(staged.BLOCKS)}/{name}.parquet").to_pandas()


def test_the_train_block_is_recent_and_the_replay_is_the_champions_training_rows():
    candidate = tune()
    start = start_of(candidate)
    recent, older = (set(rows_of(candidate, n)["timestamp"].dt.date) for n in ("train", "older"))

    assert (start.version, start.recent_days, start.replay_days) == (1, 12, 8)
    assert min(recent) > MOVED
    assert set(days(TRAINED)) >= older
    assert (min(older), max(older)) == (days(1)[0], days(28)[-1])
    assert start.replay_rows == len(rows_of(candidate, "older"))


def test_no_row_that_is_trained_on_or_replayed_is_a_calibration_or_test_row():
    candidate = tune()
    trained = {d for n in ("train", "older") for d in rows_of(candidate, n)["timestamp"].dt.date}
    kept = {d for n in ("calibration", "test") for d in rows_of(candidate, n)["timestamp"].dt.date}

    assert not trained & kept


def test_older_rows_of_an_open_shift_are_replayed_without_the_cells_of_its_channel(monkeypatch):
    begin, end = moment(days(10)[-1]), moment(days(14)[-1], 23)
    shift = CaseSpan("c1", "shift", "a", ("pressure",), begin, end, None, None)
    measured = rows_of(tune(), "older")
    monkeypatch.setattr(warm_start, "spans_left_out", lambda *_: (shift,))

    shown = rows_of(tune(), "older")

    inside = (shown["pump"] == "a") & shown["timestamp"].between(begin, end)
    assert inside.any()
    assert len(shown) == len(measured)
    assert (shown.loc[inside, "pressure"] != measured.loc[inside, "pressure"]).all()
    assert shown[~inside].equals(measured[~inside])
    assert shown["flow"].equals(measured["flow"])


def test_calibration_and_test_rows_are_those_of_any_candidate():
    tuned, untuned = (
        tune(),
        from_json(Candidate, fitting.window(settings.load(), "pumps", AS_OF.isoformat())),
    )

    for name in ("calibration", "test"):
        pd.testing.assert_frame_equal(rows_of(tuned, name), rows_of(untuned, name))
    assert tuned.name != untuned.name
    assert start_of(untuned) is None


def test_flagged_rows_without_a_label_are_not_trained_on():
    candidate = tune()
    rows = rows_of(candidate, "train")
    fault = rows["timestamp"].between(FAULT, FAULT + timedelta(hours=5)) & (rows["pump"] == "a")

    assert not fault.any()
    assert start_of(candidate).suspects >= 6


def test_rows_labelled_normal_are_trained_on_though_they_were_flagged(world):
    said = Label(
        start=FAULT.to_pydatetime(),
        end=(FAULT + timedelta(hours=5)).to_pydatetime(),
        entity="a",
        verdict="normal",
        note="a test of the valve",
        author="ada",
        created_at=moment(days(69)[-1]),
    )
    before = start_of(tune())
    add_labels(world.here, "pumps", [said])
    overruling = {**said.__dict__, "verdict": "incident", "created_at": moment(days(70)[-1])}
    try:
        after = start_of(tune())
    finally:
        add_labels(world.here, "pumps", [Label(**overruling)])

    assert (before.confirmed, after.confirmed) == (0, 6)
    assert after.suspects == before.suspects - 6
    assert start_of(tune()).suspects == before.suspects - 6  # an incident is no suspect


def test_it_is_better_on_recent_days_than_the_champion_and_as_good_on_the_old(world, judged):
    champion = registered.by_number(world.client, "pumps", 1)
    with staging.pulled(judged.candidate.folder(staged.BUNDLE)) as folder:
        tuned = load_bundle(folder)
        old = rows_of(judged.candidate, "older")
        recent = rows_of(judged.candidate, "test")
        recent = recent[recent["timestamp"].dt.date >= MOVED]
        from pipeline.steps import ledger_state, live

        before = live.opened(
            settings.load(), champion, ledger_state.read(world.here, "pumps")
        ).bundle

        def error(bundle, frame):
            rows = feature_values(frame, bundle.schema)
            return diagnose(bundle.graph.reconstruct, rows, seed=0).median_error

        assert error(tuned, recent) < error(before, recent)
        assert error(tuned, old) < 1.2 * error(before, old)
        assert tuned.description.network.best_step <= 80


def test_the_bundle_and_the_card_say_whose_weights_it_went_on_from(world, judged):
    with staging.pulled(judged.candidate.folder(staged.BUNDLE)) as folder:
        start = load_bundle(folder).description.provenance.start
    version = registered.by_number(world.client, "pumps", judged.version)

    assert (start.version, start.since) == (1, days(1)[0])
    assert "fine-tuned from version 1" in judged.card
    assert f"{start.suspects} rows that version 1 flags and nobody has judged" in judged.card
    assert version.tags["fine_tuned_from"] == "1"


def test_the_gate_judges_it_as_any_candidate(judged):
    checked = gating.verdict_of(judged.candidate)

    assert judged.champion == 1
    assert {r.name: r.verdict for r in checked.results}["rank_agreement"] == "pass"


def test_the_same_window_gives_the_same_weights(judged):
    again = from_json(
        Candidate,
        fitting.calibrate(
            settings.load(),
            fitting.train(
                settings.load(),
                fitting.window(settings.load(), "pumps", AS_OF.isoformat(), warm_start=True),
                run="pumps__train/r2",
            ),
        ),
    )

    folders = (again.folder(staged.FIT), judged.candidate.folder(staged.FIT))
    with staging.pulled(folders[0]) as one, staging.pulled(folders[1]) as other:
        for name in ("model.onnx", "weights.safetensors"):
            assert (one / name).read_bytes() == (other / name).read_bytes()


def test_another_loss_than_the_champions_is_refused_before_anything_is_fitted(world):
    with_file(world, model={"loss": "huber"})

    with pytest.raises(BundleError, match="'huber', and 'mse'"):
        tune()


def test_other_features_are_refused(world):
    columns = world.spec.columns.model_copy(update={"derived": ()})
    spec = world.spec.model_copy(update={"columns": columns})
    content = spec.model_dump(mode="json", by_alias=True)
    (world.here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    with pytest.raises(BundleError, match="features is"):
        tune()


def test_features_in_another_order_are_refused_with_what_to_do(world):
    features = dict(sorted(world.spec.columns.features.items()))
    columns = world.spec.columns.model_copy(update={"features": features})
    spec = world.spec.model_copy(update={"columns": columns})
    content = spec.model_dump(mode="json", by_alias=True)
    (world.here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    with pytest.raises(BundleError, match=r"another order .*Train once without warm_start"):
        tune()


@pytest.mark.parametrize("change", [{"method": "contiguous"}, {"train": 3, "test": 2}])
def test_days_that_changed_their_role_are_refused(world, change):
    with_file(world, split=change)

    with pytest.raises(DataError, match="may have been trained on calibration or test days"):
        tune()


def test_without_a_champion_there_is_nothing_to_go_on_from(monkeypatch):
    from pipeline.steps import live

    monkeypatch.setattr(live, "champion_or_none", lambda *_: None)

    with pytest.raises(DataError, match="has no champion yet"):
        tune()

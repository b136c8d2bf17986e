"""A recalibration from the window to the promotion, on real tables and a real registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import yaml

from pipeline import ledger, settings, staging, tables
from pipeline.data.label import Label
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.errors import DataError, PromotionConflict
from pipeline.ledger import Decision
from pipeline.records import from_json
from pipeline.scoring import score_frame, score_values
from pipeline.steps import candidate as staged
from pipeline.steps import (
    gating,
    ingestion,
    ledger_state,
    promotion,
    recalibrating,
    scoring,
)
from pipeline.steps.candidate import Candidate
from pipeline.steps.origin import Acceptance, RecalibrationInputs
from pipeline.steps.origin import origin_of as candidate_origin
from pipeline.steps.scored_window import staged_rows
from pipeline.store.labels import add_labels
from pipeline.tables import Table
from tests import ledger_entries
from tests.builders import ROWS_A_DAY, days, make_frame, make_telemetry, moment
from tests.steps.plant_world import HISTORY, TRAINED, make_world

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

RUN = "pumps__recalibrate/r"
SCORED = days(HISTORY)[TRAINED : TRAINED + 25]
AS_OF = SCORED[-1] + timedelta(days=1)
SMOOTHED, STEP_NS = 3, 3600 * 10**9
BY_PUMP = {"by": "entity", "prior_rows": 20}
ADA = Acceptance("ada", "The gearbox is new.")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One farm for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        yield make_world(
            tmp_path_factory.mktemp("farm"), patch, contexts=BY_PUMP, smoothing={"rows": SMOOTHED}
        )


@pytest.fixture(scope="module")
def first(made):  # noqa: ARG001 - recalibrates in its environment
    """The first recalibration, promoted: the result of `promote`."""
    outcome = recalibrate()
    assert outcome["promoted"]
    return outcome


@pytest.fixture
def farm(made, first):  # noqa: ARG001 - the first is what version 2 is
    """The farm with version 1 live, its settings as they were."""
    live = ledger_state.verified(made.here, "pumps").live.version
    if live != 1:
        ledger_entries.write(made.here, went_live(1, replaced=live, action="rollback"))
    made.client.set_registered_model_alias("pumps", "champion", "1")
    write(made, made.spec)
    return made


def write(farm, spec):
    content = spec.model_dump(mode="json", by_alias=True)
    (farm.here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))


def tightened(farm, **limits):
    """The farm whose detector file has other limits of recalibration."""
    changed = farm.spec.recalibration.model_copy(update=limits)
    write(farm, farm.spec.model_copy(update={"recalibration": changed}))


def through(payload):
    return json.loads(json.dumps(payload))


def window(as_of=AS_OF, **how):
    return through(recalibrating.window(settings.load(), "pumps", as_of.isoformat(), **how))


def judge(as_of=AS_OF, **how):
    candidate = through(recalibrating.recalibrate(settings.load(), window(as_of, **how), run=RUN))
    return through(gating.gate(settings.load(), candidate, run=RUN))


def recalibrate(as_of=AS_OF, **how):
    return promotion.promote(settings.load(), judge(as_of, **how), answer=None, run=RUN)


def bundle_of(number):
    return recalibrating.version_of(settings.load(), "pumps", number).bundle


def origin_of(payload):
    return candidate_origin(from_json(Candidate, payload), RecalibrationInputs)[1].window


def test_a_recalibrated_version_has_the_same_network_and_another_threshold(first):
    trained, recalibrated = bundle_of(1), bundle_of(first["version"])

    for name in ("model.onnx", "weights.safetensors", "golden.parquet"):
        assert (recalibrated.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    assert recalibrated.threshold != trained.threshold


def test_a_recalibrated_version_gives_every_row_the_score_that_it_had(first):
    trained, recalibrated = bundle_of(1), bundle_of(first["version"])
    rows = make_telemetry(2, seed=9)

    assert recalibrated.postprocessing == trained.postprocessing
    assert recalibrated.postprocessing.rows == SMOOTHED
    assert set(recalibrated.postprocessing.contexts.factors) == {"a", "b", "c"}
    np.testing.assert_array_equal(
        score_frame(recalibrated, rows)["score"], score_frame(trained, rows)["score"]
    )


def test_a_recalibrated_version_has_its_lineage(first):
    trained, lineage = bundle_of(1), bundle_of(first["version"]).description.lineage

    assert (lineage.weights_of, lineage.drawn_from) == (1, 1)
    assert lineage.trained_until == SCORED[0] - timedelta(days=1)
    assert lineage.anchor_threshold == trained.threshold
    assert lineage.anchor_level == trained.description.calibration.quantiles["0.5"]
    assert lineage.moved == AS_OF - timedelta(days=1)
    assert sum(lineage.counts.values()) == 20 * ROWS_A_DAY
    assert trained.description.lineage is None


def test_drift_is_measured_against_the_window_and_clusters_against_the_training(first):
    trained, recalibrated = bundle_of(1), bundle_of(first["version"])

    window, kept = recalibrated.reference(), recalibrated.trained_reference()

    assert window.timeline.time_ns.min() > trained.reference().timeline.time_ns.max()
    served = score_values(recalibrated, window.features, window.timeline)
    # When they were scored, the first rows were averaged with rows from before the window.
    alike = np.isclose(served.score, window.score, rtol=1e-5)
    began = window.timeline.time_ns < window.timeline.time_ns.min() + (SMOOTHED - 1) * STEP_NS
    np.testing.assert_array_equal(alike, ~began)
    np.testing.assert_array_equal(kept.score, trained.reference().score)


def test_its_threshold_is_in_the_table_of_thresholds(farm, first):
    number = first["version"]

    rows = tables.read(Table(farm.here.storage, "pumps", "thresholds")).set_index("version")
    assert list(rows.loc[[1, number], "kind"]) == ["trained", "recalibrated"]
    assert list(rows.loc[[1, number], "weights_of"]) == [1, 1]
    assert set(rows.loc[[1, number], "anchor"]) == {bundle_of(1).threshold}


def test_the_run_in_mlflow_shows_what_was_done(farm, first):
    registered = farm.client.get_model_version("pumps", str(first["version"]))
    run = farm.client.get_run(registered.run_id)
    files = {file.path for file in farm.client.list_artifacts(run.info.run_id, "recalibration")}

    assert run.data.params["data.drawn_from"] == "1"
    assert run.data.metrics["threshold"] == bundle_of(first["version"]).threshold
    assert files == {"recalibration/window.png", "recalibration/held.json"}
    assert run.data.tags["kind"] == "recalibrated"


def test_a_recalibrated_version_went_live_and_the_ledger_holds(farm, first):
    decisions = ledger.changes(ledger_entries.entries(farm.here, "pumps"))

    assert (decisions[1].action, decisions[1].version) == ("promotion", first["version"])
    assert decisions[1].replaced == 1


def test_a_second_run_of_the_month_repeats_the_first(farm, first):
    farm.client.set_registered_model_alias("pumps", "champion", str(first["version"]))

    again = window()

    registered = farm.client.get_model_version("pumps", str(first["version"]))
    assert again["name"] == registered.tags["candidate"]


def test_the_next_month_starts_from_this_month_and_measures_from_the_training(farm, first):
    ledger_entries.write(farm.here, went_live(first["version"], replaced=1))

    second = recalibrating.recalibrate(settings.load(), window(AS_OF + timedelta(days=10)), run=RUN)

    candidate = from_json(Candidate, second)
    with staging.pulled(candidate.folder(staged.BUNDLE)) as folder:
        lineage = load_bundle(folder).description.lineage
    assert (lineage.weights_of, lineage.drawn_from) == (1, first["version"])
    assert lineage.anchor_threshold == bundle_of(1).threshold


@pytest.mark.usefixtures("farm")
def test_rows_that_the_same_weights_scored_are_used_as_they_are():
    scoring.score_days(settings.load(), "pumps", [str(day) for day in SCORED[:20]], run="r")

    known = origin_of(window())

    assert known.days == 20
    assert known.rescored == 5


@pytest.mark.usefixtures("farm")
def test_stored_and_rescored_rows_are_the_same_rows():
    before = origin_of(window())
    scoring.score_days(settings.load(), "pumps", [str(day) for day in SCORED], run="r")

    after = origin_of(window())

    assert (before.rescored, after.rescored) != (0, before.rescored)
    assert after.rescored == 0
    assert after.rows_digest == before.rows_digest


def test_nothing_of_the_as_of_day_or_later_is_read(farm):
    before = window()["name"]
    later = make_frame(HISTORY)
    after = later["timestamp"] >= moment(AS_OF)
    later.loc[after, "flow"] *= 1.3
    later.to_parquet(farm.spec.source.path)
    ingestion.load(settings.load(), "pumps", [day.isoformat() for day in days(HISTORY)], run="late")
    scoring.score_days(
        settings.load(), "pumps", [str(AS_OF), str(AS_OF + timedelta(days=1))], run="r"
    )

    assert window()["name"] == before


def labelled(farm, created_at, verdict="incident"):
    start = moment(SCORED[10])
    made = Label(start, start + timedelta(hours=5), "a", verdict, "", "ada", created_at)
    add_labels(farm.here, "pumps", [made])


def test_a_label_counts_from_the_day_after_it_was_made(farm):
    before = window()["name"]

    labelled(farm, moment(AS_OF) + timedelta(seconds=1))
    unseen = window()
    labelled(farm, moment(AS_OF) - timedelta(seconds=1))
    seen = window()

    rows = staged_rows(from_json(Candidate, seen))
    assert unseen["name"] == before
    assert seen["name"] != before
    assert origin_of(seen).labels == 1
    assert rows["verdict"].sum() == 6


@pytest.mark.usefixtures("farm")
def test_days_that_the_network_was_trained_on_are_not_in_the_window():
    assert origin_of(window(SCORED[8])).first_day == SCORED[0]


@pytest.mark.usefixtures("farm")
def test_a_young_champion_is_left_alone():
    outcome = recalibrating.window(settings.load(), "pumps", SCORED[4].isoformat())

    assert isinstance(outcome, recalibrating.NotDue)
    assert "4 days before 2024-02-04 are new to it; 7 are needed" in outcome.reason


def test_days_that_were_never_validated_are_an_error(farm):
    tightened(farm, minimum_days=45)

    with pytest.raises(DataError, match=r"recalibration\.minimum_days is 45: ingest more days"):
        window(days(HISTORY)[-1] + timedelta(days=9))


def test_a_recalibration_whose_network_is_not_live_any_more_is_not_judged(farm, first):
    candidate = recalibrating.recalibrate(settings.load(), window(acceptance=ADA), run=RUN)
    ledger_entries.write(farm.here, went_live(first["version"], replaced=1))

    with pytest.raises(PromotionConflict, match=r"while version 1 was live, but version 2 is live"):
        gating.gate(settings.load(), candidate, run=RUN)


def went_live(version: int, *, replaced: int, action="promotion") -> Decision:
    now = datetime.now(UTC).isoformat()
    return Decision(action, "pumps", version, replaced, "ada", "why", "m", "", now)


def test_a_threshold_beyond_its_bounds_is_rejected_with_the_fix_and_nothing_moves(farm):
    tightened(farm, maximum_total=0.001)

    judged = judge()
    outcome = promotion.promote(settings.load(), judged, answer=None, run=RUN)

    found = farm.client.get_model_version("pumps", str(judged["version"]))
    last = ledger_entries.entries(farm.here, "pumps")[-1].decision
    assert not outcome["promoted"]
    assert farm.aliases()["champion"] == 1
    assert "total_bound" in found.tags["reason"]
    assert "accept_beyond_bounds and a reason" in found.tags["reason"]
    assert (last.action, last.version) == ("rejection", judged["version"])


def test_a_person_may_accept_the_move_and_is_named(farm):
    tightened(farm, maximum_total=0.001)

    number = recalibrate(acceptance=ADA)["version"]

    decision = ledger_entries.entries(farm.here, "pumps")[-1].decision
    recalibrated = bundle_of(number)
    assert (decision.action, decision.version) == ("promotion", number)
    assert "accepted by ada: The gearbox is new." in decision.why
    assert recalibrated.description.lineage.anchor_threshold == recalibrated.threshold


@pytest.mark.usefixtures("farm")
def test_an_acceptance_that_nothing_needed_moves_no_anchor():
    candidate = from_json(
        Candidate, recalibrating.recalibrate(settings.load(), window(acceptance=ADA), run=RUN)
    )

    with staging.pulled(candidate.folder(staged.BUNDLE)) as folder:
        lineage = load_bundle(folder).description.lineage
    assert lineage.anchor_threshold == bundle_of(1).threshold


def test_flagged_episodes_are_put_up_for_labelling(farm):
    scoring.score_days(settings.load(), "pumps", [str(day) for day in SCORED], run="r")
    tightened(farm, audit_share=1.0)

    audited = recalibrating.audit(settings.load(), "pumps", AS_OF.isoformat(), run=RUN)

    assert audited["sampled"] == audited["episodes"] > 0

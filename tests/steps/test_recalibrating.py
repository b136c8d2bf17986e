"""A recalibration from the window to the promotion, on real tables and a real registry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline import ledger, settings, staging, tables
from pipeline.cases import SeenDegradation
from pipeline.data.label import Label
from pipeline.data.label_request import Author
from pipeline.detector.bundle.bundle import load_bundle
from pipeline.errors import DataError
from pipeline.records import from_json
from pipeline.steps import candidate as staged
from pipeline.steps import (
    ingestion,
    recalibrating,
    scoring,
)
from pipeline.steps.candidate import Candidate
from pipeline.steps.case_answering import answer_case, undo_answer
from pipeline.steps.scored_window import staged_rows
from pipeline.store.cases import cases_after, state_degradation
from pipeline.store.labels import add_labels
from pipeline.tables import Table
from pipeline.utc_day import midnight
from tests import ledger_entries
from tests.builders import ROWS_A_DAY, days, make_frame, moment
from tests.steps.plant_world import HISTORY
from tests.steps.recalibrated_farm import (
    ADA,
    AS_OF,
    RUN,
    SCORED,
    bundle_of,
    origin_of,
    tightened,
    went_live,
    window,
)

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_recalibrated_version_has_its_lineage(first):
    trained, lineage = bundle_of(1), bundle_of(first["version"]).description.lineage

    assert (lineage.weights_of, lineage.drawn_from) == (1, 1)
    assert lineage.trained_until == SCORED[0] - timedelta(days=1)
    assert lineage.anchor_threshold == trained.threshold
    assert lineage.anchor_level == trained.description.calibration.quantiles["0.5"]
    assert lineage.moved == AS_OF - timedelta(days=1)
    assert sum(lineage.counts.values()) == 20 * ROWS_A_DAY
    assert trained.description.lineage is None


def test_its_threshold_is_in_the_table_of_thresholds(farm, first):
    number = first["version"]

    rows = tables.read(Table(farm.here.storage, "pumps", "thresholds")).set_index("version")
    assert list(rows.loc[[1, number], "kind"]) == ["trained", "recalibrated"]
    assert list(rows.loc[[1, number], "weights_of"]) == [1, 1]
    assert set(rows.loc[[1, number], "anchor"]) == {bundle_of(1).threshold}


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


@pytest.mark.usefixtures("farm")
def test_an_acceptance_that_nothing_needed_moves_no_anchor():
    candidate = from_json(
        Candidate, recalibrating.recalibrate(settings.load(), window(acceptance=ADA), run=RUN)
    )

    with staging.pulled(candidate.folder(staged.BUNDLE)) as folder:
        lineage = load_bundle(folder).description.lineage
    assert lineage.anchor_threshold == bundle_of(1).threshold


def accepted_state(payload):
    """The anchor of a recalibrated bundle, and how many rows of an answered state it keeps."""
    candidate = from_json(Candidate, payload)
    with staging.pulled(candidate.folder(staged.BUNDLE)) as folder:
        bundle = load_bundle(folder)
        kept = bundle.answered_reference()
        lineage = bundle.description.lineage
        moved = lineage.anchor_threshold == bundle.threshold != bundle_of(1).threshold
        return moved, lineage.anchor_day, 0 if kept is None else len(kept.score)


def test_growth_that_a_person_has_called_normal_makes_the_next_window_the_accepted_state(farm):
    seen = SCORED[-4]
    state_degradation(farm.here, "pumps", SeenDegradation(seen, (), (), "Scores rose by 20 %."))
    (case,) = cases_after(farm.here, "pumps", seen)
    ann = Author("ann", midnight(SCORED[-1]) + timedelta(hours=9))
    answer_case(farm.here, "pumps", case.id, "normal from now on", ann, "higher load since May")

    answered = recalibrating.recalibrate(settings.load(), window(), run=RUN)
    undo_answer(farm.here, "pumps", case.id, replace(ann, at=ann.at + timedelta(hours=1)), "no")
    undone = recalibrating.recalibrate(settings.load(), window(), run=RUN)

    moved, day, kept = accepted_state(answered)
    assert moved
    assert day == SCORED[-1]
    assert kept > 0
    assert accepted_state(undone) == (False, SCORED[0] - timedelta(days=1), 0)


def test_an_answer_about_growth_before_the_accepted_state_renews_nothing(farm):
    long_ago = SCORED[0] - timedelta(days=3)
    state_degradation(farm.here, "pumps", SeenDegradation(long_ago, (), (), "Scores rose."))
    (case,) = cases_after(farm.here, "pumps", long_ago)
    ann = Author("ann", midnight(long_ago) + timedelta(hours=9))
    answer_case(farm.here, "pumps", case.id, "normal from now on", ann, "a new pump")

    made = recalibrating.recalibrate(settings.load(), window(), run=RUN)

    assert not accepted_state(made)[0]


def test_flagged_episodes_are_put_up_for_labelling(farm):
    scoring.score_days(settings.load(), "pumps", [str(day) for day in SCORED], run="r")
    tightened(farm, audit_share=1.0)

    audited = recalibrating.audit(settings.load(), "pumps", AS_OF.isoformat(), run=RUN)

    assert audited["sampled"] == audited["episodes"] > 0

"""The DAGs that may change what is live, as a fresh process parses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dags.test_parsing import DESCRIBE, REPOSITORY, in_fresh_process


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    return in_fresh_process(tmp_path_factory.mktemp("airflow"), DESCRIBE)


def chain(parsed, dag_id):
    return {name: task["downstream"] for name, task in parsed["tasks"][dag_id].items()}


def test_recalibrate_is_a_visible_chain(parsed):
    assert chain(parsed, "la_haute_borne__recalibrate") == {
        "audit": ["window"],
        "window": ["recalibrate"],
        "recalibrate": ["gate"],
        "gate": ["promote"],
        "promote": [],
    }


def test_rollback_is_a_visible_chain(parsed):
    assert chain(parsed, "la_haute_borne__rollback") == {
        "validate_target": ["set_champion"],
        "set_champion": ["close", "plan_rescore"],
        "plan_rescore": ["rescore"],
        "rescore": ["close"],
        "close": [],
    }


def test_whatever_moves_an_alias_waits_for_the_one_promotion_slot(parsed):
    for verb, task in (
        ("train", "promote"),
        ("recalibrate", "promote"),
        ("rollback", "set_champion"),
    ):
        assert parsed["tasks"][f"la_haute_borne__{verb}"][task]["pool"] == "promotion"


def test_a_rollback_can_be_asked_for_by_the_watch(parsed):
    params = parsed["params"]["la_haute_borne__rollback"]

    assert params == ["only_if_live", "reason", "target", "who"]


def test_approval_of_a_recalibration_is_asked_for_where_the_file_wants_it(tmp_path: Path):
    detectors = tmp_path / "detectors"
    detectors.mkdir()
    text = (REPOSITORY / "detectors" / "la_haute_borne.yaml").read_text()
    (detectors / "la_haute_borne.yaml").write_text(text + "\npromotion: {approval: human}\n")

    found = in_fresh_process(tmp_path, DESCRIBE, PLIMSOLL_DETECTORS=str(detectors))

    assert chain(found, "la_haute_borne__recalibrate")["gate"] == ["passed_gate", "promote"]

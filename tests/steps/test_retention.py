from datetime import UTC, datetime

import pytest

from pipeline.errors import DataError
from pipeline.ledger import Decision
from pipeline.registry.versions import Version
from pipeline.steps.retention import VersionUses, needed_telemetry, reasons_to_keep

SINCE = datetime(2024, 1, 1, tzinfo=UTC)


def version(number: int, **tags: str) -> Version:
    return Version(number, f"run-{number}", f"models:/m-{number}", {**tags}, "card")


def decided(number: int, at: str, *, replaced: int | None = None, action="promotion") -> Decision:
    return Decision(action, "pumps", number, replaced, "ada", "because", "run", "hash", at)


def kept(versions=None, **evidence) -> dict[int, str]:
    nothing = {"aliases": {}, "decisions": (), "scored": (), "weights": {}, "newest": 1}
    every = versions or [version(number) for number in range(1, 10)]
    return reasons_to_keep(every, VersionUses(**{**nothing, "since": SINCE, **evidence}))


def test_the_newest_versions_stay_in_any_case():
    assert set(kept(newest=3)) == {7, 8, 9}


def test_a_version_with_an_alias_stays_with_that_reason():
    assert kept(aliases={"champion": 2})[2] == "is champion"


def test_a_version_that_was_live_in_the_audit_window_stays():
    found = kept(
        decisions=[
            decided(1, "2023-03-01T00:00:00+00:00"),
            decided(2, "2023-06-01T00:00:00+00:00", replaced=1),
            decided(4, "2024-02-01T00:00:00+00:00", replaced=2),
        ]
    )

    assert set(found) == {2, 4, 9}  # 2 was live when the window began, 1 was not


def test_a_rollback_in_the_window_keeps_both_ends():
    back = decided(3, "2024-02-01T00:00:00+00:00", replaced=5, action="rollback")

    assert {3, 5} <= set(kept(decisions=[back]))


def test_a_version_that_scored_a_day_of_the_window_stays():
    assert 5 in kept(scored={5})


def test_the_network_of_a_kept_version_stays_through_any_chain():
    every = [version(n) for n in range(1, 6)]
    every[4] = version(5, weights_of="3")

    found = kept(every, weights={3: 1})

    assert set(found) == {1, 3, 5}
    assert found[3] == "version 5 has its network"


def test_an_unfinished_change_of_champion_holds_its_version():
    every = [version(1, rescoring="due"), version(2), version(3)]

    assert set(kept(every)) == {1, 3}


def test_versions_that_are_gone_already_are_not_listed():
    assert set(kept([version(8), version(9)], scored={1}, aliases={"champion": 8})) == {8, 9}


def test_each_trained_version_needs_its_telemetry():
    every = [
        version(1, telemetry_version="4"),
        version(2, telemetry_version="None", weights_of="1"),
        version(3, telemetry_version="7", weights_of="1"),
    ]

    assert needed_telemetry(every) == {4, 7}


def test_a_version_that_does_not_say_what_it_was_trained_on_stops_everything():
    with pytest.raises(DataError, match=r"Version 2 does not say.*Set its tag telemetry_version"):
        needed_telemetry([version(1, telemetry_version="4"), version(2)])

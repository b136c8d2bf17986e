"""A change of champion that dies before its n-th write, for every n, and is then run again.

The registry is a fake that dies on demand; lock and tables are real. The same with real processes,
SIGKILL and a real registry: `benchmarks/operation/promotion.py`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest
import yaml

from pipeline import ledger, settings
from pipeline.records import to_json
from pipeline.steps import champion, promotion, rescoring, rollback, rollback_target
from pipeline.store import ledger as stored_ledger
from pipeline.tables import appending
from tests import ledger_entries
from tests.builders import make_spec
from tests.steps.fake_registry import FakeRegistry, Killed
from tests.steps.test_promotion import PASSED, with_digest
from tests.steps.test_rollback import decided, fitted_on


@pytest.fixture
def drill(here, tmp_path, monkeypatch):
    """Runs `change` until it survives, killed before its 1st, 2nd, ... write, each on new ground.

    Yields, for each kill, what a second run of `change` has made of it.
    """
    content = make_spec().model_dump(mode="json", by_alias=True)
    (here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(promotion, "opened", lambda *_, **__: with_digest(PASSED.bundle_sha256))
    monkeypatch.setattr(
        rollback_target, "opened", lambda _, version, _held: fitted_on(make_spec(), version)
    )

    def ground(n):
        monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path / f"kill-{n}"))
        world = SimpleNamespace(registry=FakeRegistry(versions=3), rescored=[], n=n)
        world.here = champion_here()
        world.registry.aliases = {"champion": 2, "previous": 1, "challenger": 3}
        for module in (promotion, champion, rollback):
            monkeypatch.setattr(module, "connect", lambda _: world.registry)
        for version in (1, 2):
            ledger_entries.write(world.here, decided(version, replaced=version - 1 or None))
        monkeypatch.setattr(stored_ledger, "appending", Dying(world.registry))
        monkeypatch.setattr(rescoring, "withdraw_and_rescore", rescored_by(world))
        world.registry.dies_before = n
        return world

    def run(change):
        for n in count(1):
            world = ground(n)
            try:
                change()
            except Killed:
                world.registry.dies_before = None
                change()
                yield world
            else:
                assert n > 5
                return

    return run


class Dying:
    """`pipeline.tables.appending`, whose appends count as writes of the registry."""

    def __init__(self, registry):
        self.registry = registry

    def append_behind(self, *given):
        self.registry.write()
        return appending.append_behind(*given)

    def __getattr__(self, name):
        return getattr(appending, name)


def champion_here():
    from pipeline import settings

    return settings.load()


def rescored_by(world):
    def withdraw_and_rescore(_here, _detector, bad_version, *, run):
        world.registry.write()
        world.rescored.append((bad_version, run))
        return {}

    return withdraw_and_rescore


def changes(world):
    entries = ledger_entries.entries(world.here, "pumps")
    return [(d.action, d.version, d.replaced) for d in ledger.changes(entries)[2:]]


def test_a_promotion_is_completed_by_the_next_run(drill):
    payload = to_json(replace(PASSED, version=3, champion=2))

    worlds = list(drill(lambda: promotion.promote(settings.load(), payload, answer=None, run="r")))

    for world in worlds:
        assert world.registry.aliases == {"champion": 3, "previous": 2}
        assert world.registry.said(2) == {"status": "previous"}
        assert world.registry.said(3) == {"status": "champion"}
        assert world.registry.ended == {"m1": "passed"}
        assert changes(world) == [("promotion", 3, 2)]


def test_an_interrupted_promotion_is_recorded_by_the_next_change(drill):
    payload = to_json(replace(PASSED, version=3, champion=2))

    def change():
        if champion_of_now() == 3:  # the next run is another one, which looks at the champion first
            rollback.validate_target(
                settings.load(), "pumps", target="2", reason="other", who="ada"
            )
        else:
            promotion.promote(settings.load(), payload, answer=None, run="r")

    for world in drill(change):
        assert world.registry.aliases == {"champion": 3, "previous": 2}
        assert changes(world) == [("promotion", 3, 2)]


def test_a_rollback_is_completed_by_the_next_run(drill):
    def change():
        how = {"target": "previous", "reason": "bad", "who": "ada"}
        checked = rollback.validate_target(settings.load(), "pumps", **how)
        rollback.close(
            settings.load(), rollback.set_champion(settings.load(), checked, **how), run="r"
        )

    for world in drill(change):
        finished = {"status": "rolled_back", "rolled_back": "bad", "rescoring": "done"}
        # Killed after its last write but one, the first run had finished: there is no way back
        # from version 1, and the second run says so instead of moving on.
        assert world.registry.aliases == {"champion": 1, "challenger": 3}
        assert world.registry.said(2) == finished
        assert world.registry.said(1) == {"status": "champion"}
        assert changes(world) == [("rollback", 1, 2)]
        assert (2, "r") in world.rescored


def champion_of_now():
    client = champion.connect(None)
    return client.aliases["champion"]

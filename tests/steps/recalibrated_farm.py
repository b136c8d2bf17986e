"""The farm after its first recalibration, which is version 2, with version 1 live."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from pipeline import settings
from pipeline.ledger import Decision
from pipeline.records import from_json
from pipeline.steps import (
    gating,
    ledger_state,
    promotion,
    recalibrating,
)
from pipeline.steps.candidate import Candidate
from pipeline.steps.origin import Acceptance, RecalibrationInputs
from pipeline.steps.origin import origin_of as candidate_origin
from tests import ledger_entries
from tests.builders import days
from tests.steps.plant_world import HISTORY, TRAINED, make_world

RUN = "pumps__recalibrate/r"
SCORED = days(HISTORY)[TRAINED : TRAINED + 25]
AS_OF = SCORED[-1] + timedelta(days=1)
SMOOTHED = 3
STEP_NS = 3600 * 10**9
BY_PUMP = {"by": "entity", "prior_rows": 20}
ADA = Acceptance("ada", "The gearbox is new.")


@pytest.fixture(scope="module")
def farm_world(tmp_path_factory):
    """One farm for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        yield make_world(
            tmp_path_factory.mktemp("farm"), patch, contexts=BY_PUMP, smoothing={"rows": SMOOTHED}
        )


@pytest.fixture(scope="module")
def first(farm_world):  # noqa: ARG001 - recalibrates in its environment
    """The first recalibration, promoted: the result of `promote`."""
    outcome = recalibrate()
    assert outcome["promoted"]
    return outcome


@pytest.fixture
def farm(farm_world, first):  # noqa: ARG001 - the first is what version 2 is
    """The farm with version 1 live, its settings as they were."""
    live = ledger_state.verified(farm_world.here, "pumps").live.version
    if live != 1:
        ledger_entries.write(farm_world.here, went_live(1, replaced=live, action="rollback"))
    farm_world.client.set_registered_model_alias("pumps", "champion", "1")
    write(farm_world, farm_world.spec)
    return farm_world


def write(farm, spec):
    content = spec.model_dump(mode="json", by_alias=True)
    (farm.here.detectors / "pumps.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


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


def went_live(version: int, *, replaced: int, action="promotion") -> Decision:
    now = datetime.now(UTC).isoformat()
    return Decision(action, "pumps", version, replaced, "ada", "why", "m", "", now)

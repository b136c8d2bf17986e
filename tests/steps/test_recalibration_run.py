"""The MLflow run of a recalibration, and the episodes that it held back."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.data.timeline import Episode
from pipeline.steps.recalibration_run import held_episodes
from tests.builders import days, make_spec, moment
from tests.steps.asked import put_detector, put_incident
from tests.steps.recalibrated_farm import (
    bundle_of,
)

pytestmark = [
    # MLflow's own, on SQLite; a deployment has a server between.
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_the_run_in_mlflow_shows_what_was_done(farm, first):
    registered = farm.client.get_model_version("pumps", str(first["version"]))
    run = farm.client.get_run(registered.run_id)
    files = {file.path for file in farm.client.list_artifacts(run.info.run_id, "recalibration")}

    assert run.data.params["data.drawn_from"] == "1"
    assert run.data.metrics["threshold"] == bundle_of(first["version"]).threshold
    assert files == {"recalibration/window.png", "recalibration/held.json"}
    assert run.data.tags["kind"] == "recalibrated"


def test_a_held_episode_has_the_channels_of_its_own_incident(here):
    """Blamed by the incident of that machine and time, and by no other."""
    put_detector(here)
    day, hour = days(1)[0], pd.Timedelta(hours=1)
    start = pd.Timestamp(moment(day, 3))
    put_incident(here, moment(day, 3), entity="a", rows=3)
    held = tuple(
        Episode(entity, begin, begin + hour, np.arange(2))
        for entity, begin in (("a", start + hour), ("b", start), ("a", start + 9 * hour))
    )

    found = held_episodes(
        here,
        make_spec(),
        SimpleNamespace(first_day=day, last_day=day),
        SimpleNamespace(held=held),
    )

    assert [(each.entity, each.rows, each.features) for each in found] == [
        ("a", 2, ("flow",)),
        ("b", 2, ()),
        ("a", 2, ()),
    ]
    assert found[0].start == moment(day, 4)

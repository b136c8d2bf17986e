"""Members that learn from the newest rows only."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from pipeline.config import DenoisingModel
from pipeline.data.split import Block
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.models.descent import batches_of
from pipeline.detector.models.family import TrainingContext
from pipeline.detector.training.fit import fit
from pipeline.errors import DataError
from tests.detector.plant import SMALL, normal_rows, schema, timed

DAY = 86_400.0
HOUR = 3600.0


def training(rows=960, *, hours=1.0, time=True):
    """Rows of one column that holds their age in seconds, the newest last."""
    age = torch.arange(rows - 1, -1, -1, dtype=torch.float64) * hours * HOUR
    return TrainingContext(
        train=age[:, None].float(),
        validation=torch.zeros(10, 1),
        age_s=age if time else None,
        loss=torch.nn.Identity(),
        generator=torch.Generator().manual_seed(0),
    )


def sampled(settings, context, times=20):
    sample = batches_of(settings, context)
    return torch.cat([sample() for _ in range(times)], dim=1)[:, :, 0]


def test_a_member_learns_from_no_row_older_than_its_horizon():
    settings = DenoisingModel(members=6, horizons=["3d", "7d", "all"], batch_rows=64)

    oldest = sampled(settings, training()).amax(dim=1)

    assert (oldest[:2] == 3 * DAY).all()
    assert (oldest[2:4] == 7 * DAY).all()
    assert (oldest[4:] > 30 * DAY).all()


def test_members_of_one_horizon_see_its_rows_in_orders_of_their_own():
    shown = sampled(DenoisingModel(members=2, horizons=["7d"], batch_rows=64), training(), times=2)

    assert not torch.equal(shown[0], shown[1])


def test_a_short_horizon_shortens_the_batches_of_all():
    settings = DenoisingModel(members=2, horizons=["3d", "all"], batch_rows=256)

    assert batches_of(settings, training())().shape == (2, 73, 1)


def test_without_horizons_all_rows_are_seen_before_one_is_seen_again():
    shown = sampled(DenoisingModel(members=2, batch_rows=96), training(), times=10)

    assert all(len(torch.unique(member)) == 960 for member in shown)


def test_too_few_rows_in_a_horizon_are_refused():
    settings = DenoisingModel(members=2, horizons=["1d", "all"])

    with pytest.raises(DataError, match=r"1 day.* hold 25 windows; at least 64 .*horizons"):
        batches_of(settings, training())


def test_rows_without_time_have_no_horizon():
    settings = DenoisingModel(members=2, horizons=["1d", "all"])

    with pytest.raises(DataError, match=r"no time column.*leave model\.horizons out"):
        batches_of(settings, training(time=False))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"members": 8, "horizons": ["1d", "7d", "30d"]}, "members 8 .* multiple of 3"),
        ({"members": 2, "horizons": ["1d", "1d"]}, "each named once"),
        ({"members": 2, "horizons": ["0d", "1d"]}, "above 0"),
        ({"members": 1, "horizons": ["a day"]}, "no span of time"),
    ],
)
def test_impossible_horizons_are_refused(model, message):
    with pytest.raises(ValidationError, match=message):
        DenoisingModel.model_validate(model)


def test_horizons_survive_the_way_into_a_bundle():
    model = DenoisingModel(members=3, horizons=["1d", "7d", "all"])

    assert DenoisingModel.model_validate(model.model_dump(mode="json")) == model


def test_a_fit_on_the_last_day_does_not_know_what_was_normal_before():
    old, new = normal_rows(1500, seed=1), normal_rows(300, seed=2)
    rows = timed(pd.concat([old, new + 3 * old.std()], ignore_index=True))
    recent = DenoisingModel(**{**SMALL.model_dump(), "horizons": ["1d"]})

    errors = {}
    for name, model in (("all", SMALL), ("recent", recent)):
        graph = Graph(fit(Block("train", rows), schema(timed=True), model).graph)
        errors[name] = float(np.median(graph.score(old.to_numpy(np.float32)).score))

    assert errors["recent"] > 1.5 * errors["all"]

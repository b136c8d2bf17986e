"""Checks across sections: sections that do not fit together."""

import pytest
from pydantic import ValidationError

from tests.builders import make_spec

WITH_CONTEXT = {
    "features": {"flow": {"unit": "l/s", "context": True}, "load": {"unit": "kW"}},
    "derived": [],
}


def test_a_forest_judges_every_feature_so_context_is_refused_with_the_fix():
    with pytest.raises(ValidationError, match=r"'flow' is context; drop the feature"):
        make_spec(model={"family": "isolation_forest"}, schema=WITH_CONTEXT)


def test_context_without_a_forest_and_a_forest_without_context_pass():
    assert make_spec(schema=WITH_CONTEXT).columns.context_columns == ("flow",)
    assert make_spec(model={"family": "isolation_forest"}).model.family == "isolation_forest"


@pytest.mark.parametrize("loss", ["huber", "bce", "poisson"])
def test_residuals_of_another_loss_cannot_be_measured_together(loss):
    message = (
        rf"score\.error is mahalanobis.* model\.loss is {loss}; "
        r"set model\.loss to mse, or score\.error to standardised"
    )

    with pytest.raises(ValidationError, match=message):
        make_spec(score={"error": "mahalanobis"}, model={"loss": loss})


@pytest.mark.parametrize(
    "sections",
    [
        {"score": {"error": "mahalanobis"}},
        {"score": {"error": "standardised"}, "model": {"loss": "huber"}},
        {"score": {"kind": "memory"}, "model": {"loss": "huber"}},
    ],
)
def test_squares_and_other_scores_pass(sections):
    assert make_spec(**sections)

"""Deployment of score postprocessing."""

import pytest
from pydantic import ValidationError

from tests.builders import make_spec


def test_nothing_is_smoothed_and_nothing_grouped_unless_asked():
    spec = make_spec()

    assert spec.smoothing.rows == 1
    assert spec.contexts.by == "none"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"smoothing": {"rows": 0}}, "greater than or equal to 1"),
        ({"smoothing": {"rows": 18}}, "looks back 17 rows; .* holds 16 .*Lower smoothing.rows"),
        (
            {"smoothing": {"rows": 10}, "window": {"length": 9}},
            "rows 10 with window.length 9 looks back 17 rows",
        ),
        ({"contexts": {"by": "column"}}, "write both by: column and"),
        ({"contexts": {"by": "entity", "column": "flow"}}, "write both by: column and"),
        (
            {"contexts": {"by": "column", "column": "mode"}},
            "'mode', which is no model input; choose from flow, pressure, angle_sin",
        ),
        (
            {"contexts": {"by": "entity"}, "schema": {"entity": None, "derived": []}},
            "schema.entity names no column",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_fix(sections, message):
    with pytest.raises(ValidationError, match=message):
        make_spec(**sections)


@pytest.mark.parametrize(
    "sections",
    [
        {"smoothing": {"rows": 17}},
        {"contexts": {"by": "hour_of_week"}},
        {"contexts": {"by": "column", "column": "flow"}},
        {"model": {"family": "denoising", "members": 6, "horizons": ["1d", "7d", "all"]}},
    ],
)
def test_settings_survive_the_way_through_json(sections):
    spec = make_spec(**sections)

    again = type(spec).model_validate(spec.model_dump(mode="json", by_alias=True))

    assert again == spec

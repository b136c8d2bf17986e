"""One day scored: a function of its inputs alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.data.decision import ChannelDecision
from pipeline.errors import DataError
from pipeline.scoring import score_frame
from pipeline.steps.day_scores import score_day
from pipeline.steps.scoring_inputs import scoring_bundles_of, scoring_inputs_of
from tests.builders import ROWS_A_DAY, moment
from tests.steps.pump_house import EIGHT_DAYS as D


@pytest.fixture
def inputs(filled):
    filled.promote(2, scale=0.5, alias="challenger")
    bundles = scoring_bundles_of(filled.here, "pumps")
    return scoring_inputs_of(filled.here, filled.spec, [D[2]], bundles)


@pytest.fixture
def day(inputs):
    return inputs.days[D[2]]


def test_own_rows_get_scores_champion_before_challenger_and_earlier_rows_none(filled, inputs, day):
    made = score_day(filled.spec, inputs, day)

    scores = made.scores.to_pandas()
    own = day.frame.iloc[-day.own :]
    assert made.rows == ROWS_A_DAY
    assert list(scores["role"]) == ["champion"] * ROWS_A_DAY + ["challenger"] * ROWS_A_DAY
    assert list(scores["entity"][:ROWS_A_DAY]) == list(own["pump"])
    assert list(scores["timestamp"][:ROWS_A_DAY]) == list(own["timestamp"])
    expected = score_frame(inputs.bundles.champion.bundle, own)
    np.testing.assert_allclose(scores["score"][:ROWS_A_DAY], expected["score"], rtol=1e-5)


def test_counts_and_incidents_are_those_of_the_champion(filled, inputs, day):
    made = score_day(filled.spec, inputs, day)

    scores = made.scores.to_pandas()
    champion = scores[scores["role"].eq("champion")]
    assert scores["flag"].sum() > made.flags == champion["flag"].sum() > 0
    assert made.median_score == champion["score"].median()
    assert {part.entity for part in made.parts} == set(champion["entity"][champion["flag"]])


def test_the_same_inputs_give_the_same_scores_again(filled, inputs, day):
    first, second = (score_day(filled.spec, inputs, day) for _ in range(2))

    assert first.scores.equals(second.scores)
    assert first.parts == second.parts


def test_a_muted_channel_is_written_beside_its_rows_and_takes_no_part_in_their_scores(
    filled, inputs, day
):
    mute = ChannelDecision("flow", "b", "mute", moment(D[2], 12), "", "ann", moment(D[2]))

    muted = score_day(filled.spec, replace(inputs, decisions=(mute,)), day).scores.to_pandas()
    plain = score_day(filled.spec, inputs, day).scores.to_pandas()

    from_noon = muted["entity"].eq("b") & muted["timestamp"].ge(pd.Timestamp(moment(D[2], 12)))
    assert muted["muted"][from_noon].str.contains("flow").all()
    assert muted["muted"][~from_noon].eq("").all()
    differ = muted["score"].ne(plain["score"])
    assert differ[from_noon].all()
    assert not differ[~from_noon].any()


def test_a_day_without_rows_of_its_own_has_no_scores_and_keeps_the_remark(filled, inputs, day):
    bundles = replace(inputs.bundles, challenger=None, remark="no shadow: torn")
    empty = replace(day, frame=day.frame.iloc[: -day.own], own=0)

    made = score_day(filled.spec, replace(inputs, bundles=bundles), empty)

    assert (made.rows, made.flags, made.parts, made.scores.num_rows) == (0, 0, (), 0)
    assert (made.median_score, made.remark) == (None, "no shadow: torn")


def test_rows_that_mean_something_else_are_refused_in_the_words_of_the_inputs(filled, inputs, day):
    with pytest.raises(DataError, match="pressure in Pa instead of bar"):
        score_day(filled.spec, inputs, replace(day, misfit="pressure in Pa instead of bar"))


def test_a_value_that_is_not_finite_is_refused(filled, inputs, day):
    frame = day.frame.copy()
    frame.loc[frame.index[-1], "flow"] = np.float32("inf")

    with pytest.raises(DataError, match="flow"):
        score_day(filled.spec, inputs, replace(day, frame=frame))


def test_a_row_without_any_value_is_refused_and_not_scored_as_normal(filled, inputs, day):
    frame = day.frame.copy()
    frame.loc[frame.index[-1], list(filled.spec.columns.feature_columns)] = np.float32("nan")

    with pytest.raises(DataError, match="1 of 135 rows lack every feature that is judged"):
        score_day(filled.spec, inputs, replace(day, frame=frame))


def test_what_would_be_flagged_without_muting_is_known_of_a_muted_channel(filled):
    bundles = scoring_bundles_of(filled.here, "pumps")
    inputs = scoring_inputs_of(filled.here, filled.spec, [D[7]], bundles)

    facts = score_day(filled.spec, inputs, inputs.days[D[7]]).facts

    (shown,) = [t for t in facts.tracks if t.kind == "episode" and t.machine == "c"]
    (shift,) = [t for t in facts.tracks if t.kind == "shift"]
    assert [each.rows for each in shown.stretches] == [24]
    assert shown.flagged is not None
    assert sum(each.rows for each in shown.flagged) < 24
    assert (shift.machine, shift.channel, shift.stretches[0].opens) == ("c", "pressure", True)
    assert {each.channel for each in facts.ranges} == {"flow", "pressure"}  # no angle

import numpy as np
import pytest

from pipeline.data.label import INCIDENT, NORMAL
from tests.recalibration.window import LINE, changed, redraw, scores, window

N = 20_000


def poisoned(seed=1):
    """Every fortieth row or so isolated and just above the line; and which rows these are."""
    score = scores(N)
    rows = np.random.default_rng(seed).choice(N // 20, size=400, replace=False) * 20
    score[rows] = 1.03 * LINE
    return score, rows


def audited(rows, truth_bad, probability=0.2, seed=2):
    """A fifth of the flagged rows drawn, and labelled as they are."""
    flagged = np.flatnonzero(rows.score > rows.threshold)
    drawn = flagged[np.random.default_rng(seed).random(len(flagged)) < probability]
    verdict, audit = rows.verdict.copy(), rows.audit.copy()
    audit[drawn] = probability
    verdict[drawn] = np.where(truth_bad[drawn], INCIDENT, NORMAL)
    return changed(rows, verdict=verdict, audit=audit), drawn


def test_unjudged_flags_weigh_the_normal_share_that_audits_find():
    score, bad = poisoned()
    truth = np.zeros(N, dtype=bool)
    truth[bad] = True
    rows, drawn = audited(window(score), truth)
    unjudged = np.setdiff1d(np.flatnonzero(score > LINE), drawn)

    weight = redraw(rows).weight

    share = 1 - truth[score > LINE].mean()
    kept = weight[unjudged][weight[unjudged] > 0]  # the others were held back
    assert len(set(kept)) == 1
    assert kept[0] == pytest.approx(share, abs=0.1)
    assert weight[drawn[truth[drawn]]].max() == 0
    assert weight.max() == 1


def test_audits_keep_poison_from_moving_the_line():
    score, bad = poisoned()
    truth = np.zeros(N, dtype=bool)
    truth[bad] = True

    plain = redraw(window(score)).threshold.value
    told = redraw(audited(window(score), truth)[0]).threshold.value

    assert plain > 1.02 * LINE
    assert told < plain
    assert told == pytest.approx(LINE, rel=0.05)


def test_unequal_chances_of_being_drawn_are_weighed_out():
    score = scores(N)
    score[::100] = 1.5 * LINE  # 200 isolated bad rows
    bad = np.zeros(N, dtype=bool)
    bad[::100] = True
    rows = window(score)
    flagged = np.flatnonzero(score > LINE)
    chance = np.where(bad[flagged], 0.9, 0.2)  # whoever draws likes the bad ones
    drawn = np.random.default_rng(3).random(len(flagged)) < chance
    rows.audit[flagged[drawn]] = chance[drawn]
    rows.verdict[flagged[drawn]] = np.where(bad[flagged[drawn]], INCIDENT, NORMAL)

    weight = redraw(rows).weight

    unjudged = weight[flagged[~drawn]]
    assert unjudged[unjudged > 0][0] == pytest.approx((~bad[flagged]).mean(), abs=0.12)


def test_a_handful_of_audits_is_no_share():
    rows = window(scores(N))
    flagged = np.flatnonzero(rows.score > LINE)[:5]
    rows.audit[flagged], rows.verdict[flagged] = 0.2, INCIDENT

    weight = redraw(rows).weight

    assert set(np.unique(weight)) == {0.0, 1.0}


def test_months_without_audits_keep_their_flags():
    score = scores(2 * N)
    rows, _ = audited(window(score), np.ones(2 * N, dtype=bool))
    rows.audit[:N], rows.verdict[:N] = np.nan, 0

    weight = redraw(rows).weight

    flagged = score > LINE
    assert weight[:N][flagged[:N]].mean() > 0.9
    assert weight[N:][flagged[N:]].max() == 0


def test_labels_outside_the_audit_count_for_their_own_rows_only():
    score = scores(N)
    score[9000:9060] = 5 * LINE
    rows = window(score)
    before = redraw(rows)

    rows.verdict[9000:9060] = NORMAL
    after = redraw(rows)

    assert before.weight[9000:9060].sum() == 0
    assert after.weight[9000:9060].tolist() == [1.0] * 60
    assert after.weight.max() == 1


def test_one_person_who_calls_every_alert_normal_only_gets_the_line_of_all_rows():
    score = scores(N)
    score[5000:6000] = 20 * LINE
    rows = window(score)
    rows.verdict[score > LINE] = NORMAL
    rows.audit[score > LINE] = 0.01  # and who was also given every audit

    result = redraw(rows)

    assert result.weight.max() == 1
    assert {"step", "total"} <= {stop.name for stop in result.stops}


def test_the_luck_of_the_audits_widens_the_interval():
    score, bad = poisoned()
    truth = np.zeros(N, dtype=bool)
    truth[bad] = True

    told = redraw(audited(window(score), truth)[0]).threshold
    plain = redraw(window(score)).threshold

    assert told.n_effective < 0.5 * plain.n_effective

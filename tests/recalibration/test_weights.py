import numpy as np
import pytest

from pipeline.data.label import INCIDENT, NORMAL
from tests.recalibration.window import THRESHOLD, changed, recalibrated, scores, window

N = 20_000


def poisoned(seed=1):
    """Scores with some 400 isolated rows just above the threshold, and the indices of these."""
    score = scores(N)
    rows = np.random.default_rng(seed).choice(N // 20, size=400, replace=False) * 20
    score[rows] = 1.03 * THRESHOLD
    return score, rows


def audited(rows, truth_bad, probability=0.2, seed=2):
    """A fifth of the flagged rows sampled, with true labels."""
    flagged = np.flatnonzero(rows.score > rows.threshold)
    sampled = flagged[np.random.default_rng(seed).random(len(flagged)) < probability]
    verdict, audit = rows.verdict.copy(), rows.audit.copy()
    audit[sampled] = probability
    verdict[sampled] = np.where(truth_bad[sampled], INCIDENT, NORMAL)
    return changed(rows, verdict=verdict, audit=audit), sampled


def test_unlabelled_flags_have_the_normal_share_of_the_audits_as_weight():
    score, bad = poisoned()
    truth = np.zeros(N, dtype=bool)
    truth[bad] = True
    rows, sampled = audited(window(score), truth)
    unlabelled = np.setdiff1d(np.flatnonzero(score > THRESHOLD), sampled)

    weight = recalibrated(rows).weight

    share = 1 - truth[score > THRESHOLD].mean()
    kept = weight[unlabelled][weight[unlabelled] > 0]  # the others were held back
    assert len(set(kept)) == 1
    assert kept[0] == pytest.approx(share, abs=0.1)
    assert weight[sampled[truth[sampled]]].max() == 0
    assert weight.max() == 1


def test_audits_keep_poison_from_moving_the_threshold():
    score, bad = poisoned()
    truth = np.zeros(N, dtype=bool)
    truth[bad] = True

    plain = recalibrated(window(score)).threshold.value
    with_audits = recalibrated(audited(window(score), truth)[0]).threshold.value

    assert plain > 1.02 * THRESHOLD
    assert with_audits < plain
    assert with_audits == pytest.approx(THRESHOLD, rel=0.05)


def test_unequal_sampling_probabilities_are_accounted_for():
    score = scores(N)
    score[::100] = 1.5 * THRESHOLD  # 200 isolated bad rows
    bad = np.zeros(N, dtype=bool)
    bad[::100] = True
    rows = window(score)
    flagged = np.flatnonzero(score > THRESHOLD)
    chance = np.where(bad[flagged], 0.9, 0.2)  # the sampling prefers the bad ones
    sampled = np.random.default_rng(3).random(len(flagged)) < chance
    rows.audit[flagged[sampled]] = chance[sampled]
    rows.verdict[flagged[sampled]] = np.where(bad[flagged[sampled]], INCIDENT, NORMAL)

    weight = recalibrated(rows).weight

    unlabelled = weight[flagged[~sampled]]
    assert unlabelled[unlabelled > 0][0] == pytest.approx((~bad[flagged]).mean(), abs=0.12)


def test_a_handful_of_audits_is_no_share():
    rows = window(scores(N))
    flagged = np.flatnonzero(rows.score > THRESHOLD)[:5]
    rows.audit[flagged], rows.verdict[flagged] = 0.2, INCIDENT

    weight = recalibrated(rows).weight

    assert set(np.unique(weight)) == {0.0, 1.0}


def test_months_without_audits_keep_their_flags():
    score = scores(2 * N)
    rows, _ = audited(window(score), np.ones(2 * N, dtype=bool))
    rows.audit[:N], rows.verdict[:N] = np.nan, 0

    weight = recalibrated(rows).weight

    flagged = score > THRESHOLD
    assert weight[:N][flagged[:N]].mean() > 0.9
    assert weight[N:][flagged[N:]].max() == 0


def test_labels_outside_the_audit_count_for_their_own_rows_only():
    score = scores(N)
    score[9000:9060] = 5 * THRESHOLD
    rows = window(score)
    before = recalibrated(rows)

    rows.verdict[9000:9060] = NORMAL
    after = recalibrated(rows)

    assert before.weight[9000:9060].sum() == 0
    assert after.weight[9000:9060].tolist() == [1.0] * 60
    assert after.weight.max() == 1


def test_one_person_who_calls_every_alert_normal_only_gets_the_threshold_of_all_rows():
    score = scores(N)
    score[5000:6000] = 20 * THRESHOLD
    rows = window(score)
    rows.verdict[score > THRESHOLD] = NORMAL
    rows.audit[score > THRESHOLD] = 0.01  # and who was also given every audit

    result = recalibrated(rows)

    assert result.weight.max() == 1
    assert "total" in {stop.name for stop in result.stops}


def test_the_sampling_of_audits_widens_the_interval():
    score, bad = poisoned()
    truth = np.zeros(N, dtype=bool)
    truth[bad] = True

    with_audits = recalibrated(audited(window(score), truth)[0]).threshold
    plain = recalibrated(window(score)).threshold

    assert with_audits.n_effective < 0.5 * plain.n_effective

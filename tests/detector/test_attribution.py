import numpy as np

from pipeline.detector.attribution import blame


def test_a_feature_is_measured_by_its_own_usual_error():
    error = np.array([[10.0, 1.0, 0.1]])

    worst = blame(error, usual=[10.0, 0.1, 0.1], features=["noisy", "quiet", "calm"], most=2)

    assert [b.feature for b in worst[0]] == ["quiet", "noisy"]
    assert worst[0][0].times_usual == 10


def test_a_feature_without_any_usual_error_does_not_divide_by_zero():
    worst = blame(np.array([[1.0, 0.0]]), usual=[1.0, 0.0], features=["a", "b"])

    assert worst[0][0].feature == "a"
    assert np.isfinite([b.times_usual for b in worst[0]]).all()


def test_rows_without_rows_have_no_blame():
    assert blame(np.empty((0, 2)), usual=[1, 1], features=["a", "b"]) == []

import pytest

from pipeline.errors import OutageError, TableConflict
from pipeline.retrying import ATTEMPTS, retried


@pytest.fixture
def waits(monkeypatch):
    found = []
    monkeypatch.setattr("tenacity.nap.time.sleep", found.append)
    return found


class Work:
    def __init__(self, *failures):
        self.failures, self.tries = list(failures), 0

    def __call__(self):
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        return "written"


def test_a_conflict_is_tried_again_until_the_work_is_done(waits):
    work = Work(TableConflict("first"), TableConflict("second"))

    assert retried(work, on=TableConflict, lost="unused") == "written"
    assert work.tries == 3
    assert len(waits) == 2


def test_any_other_error_is_raised_at_once(waits):
    work = Work(OutageError("the store does not answer"))

    with pytest.raises(OutageError, match="does not answer"):
        retried(work, on=TableConflict, lost="unused")

    assert work.tries == 1
    assert waits == []


@pytest.mark.usefixtures("waits")
def test_who_loses_for_good_is_told_so_and_by_what():
    work = Work(*[TableConflict("of another")] * 99)

    with pytest.raises(OutageError, match="lost for good") as raised:
        retried(work, on=TableConflict, lost="lost for good")

    assert work.tries == ATTEMPTS
    assert str(raised.value.__cause__) == "of another"


def test_waits_are_random_and_grow_to_a_limit(waits):
    for _ in range(20):
        with pytest.raises(OutageError):
            retried(Work(*[TableConflict()] * 99), on=TableConflict, lost="lost")

    firsts, lasts = waits[:: ATTEMPTS - 1], waits[ATTEMPTS - 2 :: ATTEMPTS - 1]
    assert len(set(firsts)) > 1
    assert 0 <= max(firsts) <= 0.1
    assert 1 < max(lasts) <= 3.2

"""What people said of cases, as it can be read again."""

from dataclasses import replace

import pytest

from pipeline import tables
from pipeline.errors import UnprovenAnswer
from pipeline.store.answered import adopt_answers, unsigned_answers
from pipeline.store.case_answers import add_case_answer, case_answers_as_of
from pipeline.tables import Table
from tests.builders import stored_in
from tests.cases.made import answer, at

LATER = at(100)


def test_what_was_said_can_be_read_again(tmp_path):
    here = stored_in(tmp_path)
    whole = answer(kind="degradation", entity=None, channel=None, created_at=at(5))
    add_case_answer(here, "pumps", whole)
    add_case_answer(here, "pumps", answer())

    assert case_answers_as_of(here, "pumps", LATER) == (answer(), whole)
    assert case_answers_as_of(here, "pumps", at(4, 1)) == (answer(),)
    assert case_answers_as_of(here, "fans", LATER) == ()


@pytest.mark.parametrize("changed", ["answer", "channel", "end", "author"])
def test_an_answer_that_was_changed_does_not_count(tmp_path, changed):
    here, table = stored_in(tmp_path), Table(str(tmp_path), "pumps", "case_answers")
    add_case_answer(here, "pumps", answer())
    row = tables.read(table, keep_date=True).to_dict("records")[0]
    other = {"answer": "was a fault", "channel": "heat", "end": at(90), "author": "eve"}
    tables.append(table, [{**row, changed: other[changed]}])

    with pytest.raises(UnprovenAnswer, match="case_answers of pumps"):
        case_answers_as_of(here, "pumps", LATER)


def test_an_unsigned_answer_counts_once_somebody_vouches_for_it(tmp_path):
    here, table = stored_in(tmp_path), Table(str(tmp_path), "pumps", "case_answers")
    row = {**vars(replace(answer())), "date": at(4).date(), "key": "", "signature": ""}
    tables.append(table, [row])

    assert unsigned_answers(here, "pumps")["case_answers"] == {"ann": 1}
    assert adopt_answers(here, "pumps") == 1
    assert case_answers_as_of(here, "pumps", LATER) == (answer(),)

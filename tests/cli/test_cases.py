"""Open cases from the command line: listed, answered, undone."""

import shlex
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml

from pipeline import settings
from pipeline.cli import main
from pipeline.data.label import INCIDENT, NO_VERDICT, verdicts
from pipeline.data.timeline import timeline_from
from pipeline.store.case_answers import case_answers_as_of
from pipeline.store.cases import cases_after, settle_cases
from pipeline.store.decisions import ChannelDecision, add_decision
from pipeline.store.labels import labels_as_of
from tests.builders import make_frame, make_spec, moment, stored_in
from tests.cases.made import FIRST, facts, flags, shift, stretch

DAYS = [FIRST + timedelta(days=n) for n in range(3)]
FAR = datetime(2100, 1, 1, tzinfo=UTC)
BECAUSE = ("--reason", "a new valve", "--by", "ann")


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """Three days on which the flow of one pump is out, after an episode of another."""
    content = make_spec().model_dump(mode="json", by_alias=True)
    (tmp_path / "pumps.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv("PLIMSOLL_DETECTORS", str(tmp_path))
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path / "lake"))
    here = stored_in(str(tmp_path / "lake"))
    both = {"machines": ("a", "b")}
    shown = [
        facts(shift(stretch(0, 8, 23)), flags(stretch(0, 2, 7), machine="b"), **both),
        facts(shift(stretch(1, 0, 23)), **both),
        facts(shift(stretch(2, 0, 23)), **both),
    ]
    settle_cases(here, "pumps", dict(zip(DAYS, shown, strict=True)))
    return here


@pytest.fixture
def name(lake):
    (case,) = cases_after(lake, "pumps", DAYS[-1])
    return case.id


def said(*words, code=0):
    assert main(["cases", "pumps", *words]) == code


def open_ones(capsys, *words):
    capsys.readouterr()
    said(*words)
    return int(capsys.readouterr().out.splitlines()[0].rpartition(": ")[2])


def test_open_cases_are_listed_with_commands_that_can_be_pasted(name, capsys):
    said()

    printed = capsys.readouterr().out
    assert "Open cases: 1" in printed
    assert f"{name}  shift  2024-05-01 08:00 to 2024-05-03 23:00  a (flow)" in printed
    assert "flow stays outside its training range, 0 to 10." in printed
    (normal, _) = [line for line in printed.splitlines() if " -m pipeline cases " in line]
    words = shlex.split(normal)
    assert main(words[words.index("pipeline") + 1 :]) == 0
    assert open_ones(capsys) == 0


def test_an_answer_is_signed_and_closes_the_case(lake, name, capsys):
    said("--answer", name, "normal from now on", *BECAUSE)

    assert "counts for trainings as of tomorrow (UTC)" in capsys.readouterr().out
    (answer,) = case_answers_as_of(lake, "pumps", FAR)
    assert (answer.case, answer.kind, answer.entity, answer.channel) == (name, "shift", "a", "flow")
    assert (answer.note, answer.author) == ("a new valve", "ann")
    assert labels_as_of(lake, "pumps", FAR) == ()
    assert open_ones(capsys) == 0
    said("--all")
    assert "closed: normal from now on, says ann" in capsys.readouterr().out


def test_all_shows_what_returned_and_as_of_what_was_open_then(name, capsys):
    said("--all")

    printed = capsys.readouterr().out
    assert "Open cases: 1, closed: 1" in printed
    assert "closed on 2024-05-01: for long enough no row was flagged" in printed
    said("--answer", name, "normal from now on", *BECAUSE)
    assert open_ones(capsys, "--as-of", "2024-05-01") == 1
    assert open_ones(capsys, "--as-of", "2024-04-30") == 0


def rows_called_incident(here):
    spec = make_spec()
    frame = make_frame(4, first_day=FIRST)
    labels = labels_as_of(here, "pumps", FAR)
    codes = verdicts(timeline_from(frame, spec.columns), labels)
    assert set(codes) <= {NO_VERDICT, INCIDENT}
    return frame[codes == INCIDENT]


def test_a_fault_labels_the_rows_of_the_case_and_an_undo_takes_them_back(lake, name, capsys):
    said("--answer", name, "was a fault", *BECAUSE)

    rows = rows_called_incident(lake)
    assert set(rows["pump"]) == {"a"}
    assert (rows["timestamp"].min(), rows["timestamp"].max()) == (
        moment(DAYS[0], 8), moment(DAYS[2], 23),
    )  # fmt: skip
    assert open_ones(capsys) == 0

    said("--undo", name, "--reason", "it was a test", "--by", "bob")
    assert "Its rows are no incident any more." in capsys.readouterr().out
    assert rows_called_incident(lake).empty
    assert open_ones(capsys) == 1
    said("--answer", name, "was a fault", *BECAUSE)
    assert len(rows_called_incident(lake)) == len(rows)


def test_a_case_is_answered_once_and_undone_once(name, capsys):
    said("--answer", name, "normal from now on", *BECAUSE)
    said("--answer", name, "was a fault", *BECAUSE, code=2)
    told = capsys.readouterr().err
    assert "was answered `normal from now on` by ann on " in told
    assert f"cases pumps --undo {name} --reason" in told

    said("--undo", name, *BECAUSE)
    said("--undo", name, *BECAUSE, code=2)
    assert "there is nothing to undo" in capsys.readouterr().err


def test_an_unknown_case_offers_the_known_ones(lake, name, capsys):
    assert lake
    said("--answer", name[:4], "was a fault", *BECAUSE, code=2)
    assert f"no case '{name[:4]}'; the nearest: {name}" in capsys.readouterr().err
    said("--undo", "zzz", *BECAUSE, code=2)
    assert f"no case 'zzz'; open: {name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--answer", "x", "fine", *BECAUSE), "write 'normal from now on' or 'was a fault'"),
        (("--answer", "x", "was a fault"), "no reason is given; add --reason"),
        (("--undo", "x", "--reason", "  "), "no reason is given; add --reason"),
        (("--undo", "x", "--all", *BECAUSE), "--answer and --undo record something"),
        (("--as-of", "soon"), "soon"),
    ],
)
def test_what_is_missing_or_wrong_is_named(lake, words, says, capsys):
    assert lake
    said(*words, code=2)

    assert says in capsys.readouterr().err


def test_who_accepts_a_channel_has_answered_and_decides_anew_to_undo_it(lake, name, capsys):
    accept = ChannelDecision("flow", None, "accept", moment(DAYS[1]), "", "ann", moment(DAYS[2]))
    add_decision(lake, make_spec(), accept)

    assert open_ones(capsys) == 0
    said("--undo", name, *BECAUSE, code=2)
    assert "channel pumps unmute flow" in capsys.readouterr().err


def test_an_answer_stays_with_its_case_when_late_rows_give_it_another_id(lake, name, capsys):
    said("--answer", name, "normal from now on", *BECAUSE)
    early = {date(2024, 4, 30): facts(shift(stretch(-1, 0, 23)))}
    settle_cases(lake, "pumps", early)

    (moved,) = cases_after(lake, "pumps", DAYS[-1])
    assert moved.id != name
    assert open_ones(capsys) == 0
    said("--undo", name, *BECAUSE)
    assert open_ones(capsys) == 1


def test_a_forged_answer_is_an_error(lake, name, capsys):
    from pipeline import tables
    from pipeline.tables import Table

    row = {"date": DAYS[2], "case": name, "kind": "shift", "entity": "a", "channel": "flow",
           "start": moment(DAYS[0], 8), "end": moment(DAYS[2]), "answer": "normal from now on",
           "note": "n", "author": "eve", "created_at": moment(DAYS[2]), "run_id": "",
           "key": "", "signature": ""}  # fmt: skip
    tables.append(Table(lake.storage, "pumps", "case_answers"), [row])

    said(code=2)
    assert "the answer of eve" in capsys.readouterr().err


def test_without_cases_there_is_nothing_to_answer(tmp_path, monkeypatch, capsys):
    content = make_spec().model_dump(mode="json", by_alias=True)
    (tmp_path / "pumps.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv("PLIMSOLL_DETECTORS", str(tmp_path))
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path / "lake"))
    said("--all")

    assert capsys.readouterr().out == "Open cases: 0, closed: 0\n"
    assert settings.load().storage

"""Deciding about a channel from the command line."""

import shlex

import pytest
import yaml

from pipeline import tables
from pipeline.cli import main
from pipeline.steps.open_items import open_items
from pipeline.store.cases import settle_cases
from pipeline.store.decisions import decisions_as_of
from pipeline.tables import Table
from tests.builders import days, make_spec, moment, stored_in
from tests.cases.made import FIRST, facts, shift, stretch

DAY = days(1)[0]
FAR = moment(DAY.replace(year=2100))


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """A scored day on which two channels were left out."""
    content = make_spec().model_dump(mode="json", by_alias=True)
    (tmp_path / "pumps.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv("PLIMSOLL_DETECTORS", str(tmp_path))
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path / "lake"))
    rows = [
        {"date": DAY, "role": "champion", "entity": entity, "muted": muted}
        for entity, muted in [("a", "flow"), ("pump b; ls", "pressure"), ("c", "")]
    ]
    tables.append(Table(str(tmp_path / "lake"), "pumps", "scores"), rows)
    return str(tmp_path / "lake")


def test_the_list_shows_what_is_muted_and_commands_that_can_be_pasted(lake, capsys):
    assert main(["channel", "pumps", "--list"]) == 0

    printed = capsys.readouterr().out
    assert "Muted on the newest scored day: 2" in printed
    commands = [line for line in printed.splitlines() if " -m pipeline channel " in line]
    assert len(commands) == 6
    for command in commands[:3]:
        words = shlex.split(command)
        assert main(words[words.index("pipeline") + 1 :]) == 0
    made = decisions_as_of(stored_in(lake), "pumps", FAR)
    assert [(each.decision, each.channel, each.entity) for each in made] == [
        ("accept", "flow", "a"), ("mute", "flow", "a"), ("unmute", "flow", "a"),
    ]  # fmt: skip
    assert shlex.split(commands[3])[-1] == "--entity=pump b; ls"


def test_a_decision_that_scores_follow_later_is_shown_and_not_asked_for_again(lake, capsys):
    assert main(["channel", "pumps", "accept", "flow", "--entity=a", "--author=ann"]) == 0

    main(["channel", "pumps", "--list"])

    lines = capsys.readouterr().out.splitlines()
    at = lines.index("  flow on a")
    assert "accept, says ann on " in lines[at + 1]
    assert "says" not in "".join(lines[lines.index("  pressure on pump b; ls") :])
    items = open_items(stored_in(lake), make_spec(), now=FAR)
    assert items.muted == ("flow on a", "pressure on pump b; ls")
    assert items.undecided == ("pressure on pump b; ls",)


def test_who_accepts_a_level_accepts_it_from_the_first_row_of_its_case_on(lake, capsys):
    settle_cases(stored_in(lake), "pumps", {FIRST: facts(shift(stretch(0, 6, 23)))})

    assert main(["channel", "pumps", "--list"]) == 0

    lines = [line for line in capsys.readouterr().out.splitlines() if " flow --entity=a" in line]
    assert [line.endswith("--since=2024-05-01T06:00Z") for line in lines] == [True, False, False]


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize("words", [[], ["accept"]])
def test_an_incomplete_decision_is_refused_naming_the_missing_part(words, capsys):
    assert main(["channel", "pumps", *words]) == 2
    assert "no decision about a channel is given" in capsys.readouterr().err

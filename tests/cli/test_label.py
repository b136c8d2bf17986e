import getpass
import shlex

import pytest
import yaml

from pipeline import settings
from pipeline.cli import main
from pipeline.store.decisions import decisions_as_of
from pipeline.store.labels import labels_as_of
from pipeline.store.telemetry import telemetry_table
from pipeline.tables import Table, append, replace_days
from tests.builders import days, make_spec, make_telemetry, moment, stored_in
from tests.steps.asked import put_incident

FAR = moment(days(1)[0].replace(year=2100))


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """One day of telemetry of a detector, in the lake of the environment."""
    spec, root = make_spec(), str(tmp_path / "lake")
    content = spec.model_dump(mode="json", by_alias=True)
    (tmp_path / "pumps.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv("PLIMSOLL_DETECTORS", str(tmp_path))
    monkeypatch.setenv("PLIMSOLL_STORAGE", root)
    rows = telemetry_table(make_telemetry(), spec.columns)
    replace_days(Table(root, "pumps", "telemetry"), days(1), rows, metadata={})
    return root


SPAN = ["--start", "2024-01-01T03:00Z", "--end", "2024-01-01T05:00Z"]


def test_a_label_is_signed_with_the_login_name(lake, capsys):
    code = main(["label", "pumps", *SPAN, "--entity", "a", "--verdict", "incident"])

    (label,) = labels_as_of(stored_in(lake), "pumps", FAR)
    assert code == 0
    assert (label.author, label.entity, label.verdict) == (getpass.getuser(), "a", "incident")
    said = capsys.readouterr().out
    assert "incident, says" in said
    assert "3 rows." in said
    assert "as-of day from" in said


def test_an_overruled_label_is_reported(lake, capsys):
    main(["label", "pumps", *SPAN, "--verdict", "incident", "--author", "ann"])

    main(["label", "pumps", *SPAN, "--verdict", "normal", "--author", "bob"])

    assert "9 rows, 9 of them against an earlier label." in capsys.readouterr().out
    assert [each.author for each in labels_as_of(stored_in(lake), "pumps", FAR)] == ["ann", "bob"]


@pytest.mark.usefixtures("lake")
def test_the_list_shows_earlier_labels(capsys):
    main(["label", "pumps", *SPAN, "--verdict", "normal", "--author", "ann", "--note", "test run"])
    capsys.readouterr()

    code = main(["label", "pumps", "--list"])

    shown = capsys.readouterr().out
    assert code == 0
    assert "Incidents without a label: 0" in shown
    assert "normal    2024-01-01 03:00 to 05:00  every machine  ann" in shown
    assert "test run" in shown


def test_a_label_without_a_verdict_is_refused(lake, capsys):
    code = main(["label", "pumps", *SPAN])

    assert code == 2
    assert "error: no verdict is given; add --verdict" in capsys.readouterr().err
    assert labels_as_of(stored_in(lake), "pumps", FAR) == ()


@pytest.mark.usefixtures("lake")
def test_an_unknown_detector_is_reported_in_one_line(capsys):
    code = main(["label", "fans", *SPAN, "--verdict", "normal"])

    assert code == 2
    assert "there is no detector 'fans'" in capsys.readouterr().err


def test_a_decision_about_a_channel_is_recorded(lake, capsys):
    code = main(["channel", "pumps", "mute", "flow", "--entity", "b", "--since", "2024-01-01"])

    (made,) = decisions_as_of(stored_in(lake), "pumps", FAR)
    assert code == 0
    assert (made.channel, made.entity, made.decision) == ("flow", "b", "mute")
    assert capsys.readouterr().out.startswith("mute flow of b since 2024-01-01T00:00:00Z, says ")


@pytest.mark.usefixtures("lake")
def test_an_unknown_channel_is_refused_with_those_that_there_are(capsys):
    code = main(["channel", "pumps", "mute", "flw"])

    assert code == 2
    assert "choose from angle, flow, pressure" in capsys.readouterr().err


@pytest.mark.usefixtures("lake")
def test_a_name_that_would_steer_the_terminal_is_shown_as_text(capsys):
    odd = "\x1b[2Jpump\nlast scored 2099-01-01"
    put_incident(settings.load(), moment(days(1)[0], 3), entity=odd)

    assert main(["label", "pumps", "--list"]) == 0

    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert not any(line.startswith("last scored") for line in shown.splitlines())
    assert r"\x1b[2Jpump\nlast scored 2099-01-01" in shown


def test_the_list_ends_with_commands_that_can_be_pasted(lake, capsys):
    score_days_with_an_incident = {
        "date": days(1)[0], "kind": "anomaly", "status": "raised", "entity": "a",
        "start": moment(days(1)[0], 3), "end": moment(days(1)[0], 5), "rows": 3, "peak": 2.0,
        "peak_at": moment(days(1)[0], 3), "version": 1, "features": '[["flow", 3.0]]',
    }  # fmt: skip
    append(Table(lake, "pumps", "incidents"), [score_days_with_an_incident])

    main(["label", "pumps", "--list"])

    lines = capsys.readouterr().out.splitlines()
    for line, verdict in zip(lines[-2:], ("incident", "normal"), strict=True):
        words = shlex.split(line)
        assert main(words[words.index("pipeline") + 1 :]) == 0
        assert labels_as_of(stored_in(lake), "pumps", FAR)[-1].verdict == verdict

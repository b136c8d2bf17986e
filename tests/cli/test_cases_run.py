"""Open cases from nothing to a closed one, by what a person types: a plant on real tables."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta

import pytest
import yaml

from pipeline import settings, tables
from pipeline.cli import main
from pipeline.registry import connection
from pipeline.steps import evaluating
from pipeline.tables import Table
from tests.builders import days, make_frame, make_spec, on

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

HISTORY, TRAINED, LEAVES, BACK = 56, 45, 48, 54
ALL = days(HISTORY)
SMALL = {"family": "denoising", "members": 2, "width": 16, "steps": 120}


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """A live version, and a pump whose pressure has left its range for the last eight days."""
    for variable in ("STORAGE", "DETECTORS", "DATA", "CACHE", "HOME"):
        folder = tmp_path / variable.lower()
        folder.mkdir()
        monkeypatch.setenv(f"PLIMSOLL_{variable}", str(folder))
    monkeypatch.delenv("PLIMSOLL_DATABASE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)  # MLflow on SQLite keeps artifacts below the working folder
    monkeypatch.setattr(connection, "answering", lambda _: nullcontext())
    monkeypatch.setattr(evaluating, "write_drift_report", lambda *_, path, **__: path.touch())
    spec = make_spec(
        source={"kind": "parquet", "path": "pumps.parquet"},
        model=SMALL,
        split={"training_days": 40},
        promotion={"approval": "none"},
    )
    content = spec.model_dump(mode="json", by_alias=True)
    (tmp_path / "detectors" / "pumps.yaml").write_text(yaml.safe_dump(content))
    delivered(tmp_path, until=HISTORY)
    assert load(0, TRAINED - 1) == 0
    assert main(["run", "train", "pumps", "--as-of", str(ALL[TRAINED])]) == 0
    assert load(TRAINED) == 0
    return settings.load()


def delivered(folder, *, until):
    """The pressure of pump c is out from LEAVES on, up to the day `until`."""
    frame = make_frame(HISTORY)
    out = on(frame, "c") & frame["timestamp"].dt.date.isin(ALL[LEAVES:until])
    frame.loc[out, "pressure"] += 8
    frame.to_parquet(folder / "data" / "pumps.parquet")


def load(first=0, last=HISTORY - 1, *more):
    return main(["run", "load", "pumps", "--from", str(ALL[first]), "--to", str(ALL[last]), *more])


def shifts(capsys, *more):
    """Id and text of the shifts that `cases` lists."""
    capsys.readouterr()
    assert main(["cases", "pumps", *more]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    return {line[0]: " ".join(line[2:]) for line in lines if line[1:2] == ["shift"]}


def version(plant):
    return tables.current_version(Table(plant.storage, "pumps", "cases"))


def test_a_case_outlives_muting_and_is_closed_by_the_data_or_by_a_person(plant, tmp_path, capsys):
    ((name, text),) = shifts(capsys).items()
    assert text == f"{ALL[LEAVES]} 03:00 to {ALL[-1]} 23:00 c (pressure)"
    before = version(plant)
    assert load(LEAVES, HISTORY - 1, "--again") == 0
    assert version(plant) == before  # scored again, and the same

    since = ("--since", str(ALL[LEAVES]))
    assert main(["channel", "pumps", "mute", "pressure", *since]) == 0
    assert load(LEAVES, HISTORY - 1, "--again") == 0
    assert list(shifts(capsys)) == [name]

    said = ("--reason", "valve", "--by", "ada")
    assert main(["cases", "pumps", "--answer", name, "was a fault", *said]) == 0
    assert shifts(capsys) == {}
    assert main(["ledger", "pumps"]) == 0
    assert f"case {name}, shift, c, pressure: was a fault" in capsys.readouterr().out
    assert main(["cases", "pumps", "--undo", name, *said]) == 0
    assert list(shifts(capsys)) == [name]
    assert main(["ledger", "pumps", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["answer"] for each in found["case_answers"]] == ["was a fault", "undo"]

    delivered(tmp_path, until=BACK)
    assert load(BACK) == 0
    assert shifts(capsys) == {}
    day = str(ALL[BACK] - timedelta(days=1))
    assert list(shifts(capsys, "--as-of", day)) == [name]
    assert list(shifts(capsys, "--all")) == [name]

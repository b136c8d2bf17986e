from pathlib import Path

from pipeline.cli import main

SHIPPED = Path(__file__).parents[2] / "detectors" / "la_haute_borne.yaml"


def test_a_valid_file_gets_one_line(capsys):
    code = main(["check", str(SHIPPED)])

    assert code == 0
    assert capsys.readouterr().out == f"OK {SHIPPED}: la_haute_borne, 13 features, denoising\n"


def test_every_mistake_of_every_file_is_named(tmp_path, capsys):
    wrong = tmp_path / "la_haute_borne.yaml"
    wrong.write_text(SHIPPED.read_text() + "windw: {}\nthreshold: {alpha: 2}\n")

    code = main(["check", str(wrong), str(tmp_path / "absent.yaml"), str(SHIPPED)])

    shown = capsys.readouterr()
    assert code == 1
    assert "windw" in shown.err
    assert "threshold.alpha" in shown.err
    assert "absent.yaml" in shown.err
    assert shown.out.startswith("OK")


def test_a_file_that_airflow_would_never_find_is_not_right(tmp_path, capsys):
    hidden = tmp_path / "la_haute_borne.yml"
    hidden.write_text(SHIPPED.read_text())

    assert main(["check", str(hidden)]) == 1
    assert "rename it to la_haute_borne.yaml" in capsys.readouterr().err


def test_a_missing_path_is_reported_as_a_path(tmp_path, capsys):
    assert main(["check", str(tmp_path / "nosuch.yaml")]) == 1
    assert "give the path of a detector file" in capsys.readouterr().err

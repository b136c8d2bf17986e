import pytest

from pipeline.errors import DataError
from pipeline.staging import pulled, push, read_json, write_json


def test_a_folder_comes_back_as_it_was_pushed(tmp_path):
    folder = tmp_path / "made"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.txt").write_text("a")

    push(folder, str(tmp_path / "staged"))

    with pulled(str(tmp_path / "staged")) as copy:
        assert (copy / "inner" / "a.txt").read_text() == "a"


def test_a_second_push_leaves_nothing_of_the_first(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, name in [(first, "old"), (second, "new")]:
        folder.mkdir()
        (folder / name).write_text(name)

    push(first, str(tmp_path / "staged"))
    push(second, str(tmp_path / "staged"))

    with pulled(str(tmp_path / "staged")) as copy:
        assert [path.name for path in copy.iterdir()] == ["new"]


def test_json_comes_back_as_it_was_written(tmp_path):
    uri = str(tmp_path / "deep" / "content.json")

    write_json(uri, {"days": ["2014-01-01"]})

    assert read_json(uri) == {"days": ["2014-01-01"]}


def test_what_was_never_staged_is_named_with_the_mend(tmp_path):
    with (
        pytest.raises(DataError, match="nowhere does not exist; run the task"),
        pulled(str(tmp_path / "nowhere")),
    ):
        pass
    with pytest.raises(DataError, match=r"no\.json does not exist"):
        read_json(str(tmp_path / "no.json"))

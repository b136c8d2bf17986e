import os
from datetime import UTC, datetime

import pytest

from pipeline.errors import DataError
from pipeline.staging import (
    folders_at,
    move,
    names_at,
    pulled,
    push,
    read_json,
    remove,
    remove_empty,
    write_json,
)


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


def test_keys_come_back_in_their_order(tmp_path):
    uri = str(tmp_path / "content.json")

    write_json(uri, {"temp": 1, "pressure": 2})

    assert list(read_json(uri)) == ["temp", "pressure"]


def test_what_was_never_staged_is_named_with_the_fix(tmp_path):
    with (
        pytest.raises(DataError, match="nowhere does not exist; run the task"),
        pulled(str(tmp_path / "nowhere")),
    ):
        pass
    with pytest.raises(DataError, match=r"no\.json does not exist"):
        read_json(str(tmp_path / "no.json"))


def test_a_folder_is_as_old_as_the_newest_in_it(tmp_path):
    for name in ("a/old.json", "a/deep/new.json", "loose.json"):
        write_json(str(tmp_path / name), {})
    for second, path in enumerate(["loose.json", "a", "a/old.json", "a/deep", "a/deep/new.json"]):
        os.utime(tmp_path / path, (second, second))

    assert folders_at(str(tmp_path)) == {"a": datetime.fromtimestamp(4, UTC)}


def test_where_nothing_is_there_are_no_folders(tmp_path):
    assert folders_at(str(tmp_path / "nothing")) == {}


def test_a_removed_folder_is_gone_and_removing_it_again_is_no_error(tmp_path):
    write_json(str(tmp_path / "a" / "x.json"), {})

    for _ in range(2):
        remove(str(tmp_path / "a"))

    assert folders_at(str(tmp_path)) == {}


def test_the_folders_right_in_a_place_are_named(root):
    for name in ("pumps/scores/a.json", "fans/b.json"):
        write_json(f"{root}/{name}", {})

    assert names_at(root) == ["fans", "pumps"]
    assert names_at(f"{root}/nowhere") == []


def test_a_folder_is_moved_with_all_in_it_and_nothing_else(root):
    for name in ("pumps/a.json", "pumps/deep/b.json", "pumps-2/c.json"):
        write_json(f"{root}/{name}", {"of": name})

    move(f"{root}/pumps", f"{root}/_archive/pumps-1")

    with pytest.raises(DataError, match="does not exist"):
        read_json(f"{root}/pumps/a.json")
    assert read_json(f"{root}/pumps-2/c.json") == {"of": "pumps-2/c.json"}
    assert read_json(f"{root}/_archive/pumps-1/deep/b.json") == {"of": "pumps/deep/b.json"}
    assert read_json(f"{root}/_archive/pumps-1/a.json") == {"of": "pumps/a.json"}


def test_a_folder_is_removed_only_when_nothing_is_in_it(tmp_path):
    write_json(f"{tmp_path}/full/a.json", {})
    (tmp_path / "empty").mkdir()

    for name in ("full", "empty", "nowhere"):
        remove_empty(f"{tmp_path}/{name}")

    assert names_at(str(tmp_path)) == ["full"]


def test_what_was_moved_may_be_removed_and_moved_is_reported_as_gone(root):
    write_json(f"{root}/pumps/deep/a.json", {})

    move(f"{root}/pumps", f"{root}/_archive/pumps-1")

    remove(f"{root}/pumps")  # an object store may show a folder that it is about to drop
    remove_empty(f"{root}/pumps")
    assert "pumps-1" in names_at(f"{root}/_archive")

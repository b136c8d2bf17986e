"""Refusals before any section is parsed: encodings, sizes, depth, YAML's conversions."""

from __future__ import annotations

import os
import threading

import pytest

from pipeline.config import load_detector
from pipeline.config.file_text import MOST_BYTES
from tests.config.files import TEXT, put, refusal


def after(line: str) -> str:
    """The detector with a line behind it, and the number of that line."""
    return f"{TEXT}{line}\n"


LAST = TEXT.count("\n") + 1


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    assert load_detector(put(tmp_path, b"\xef\xbb\xbf" + TEXT.encode())).name == "pump"


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_the_ends_of_lines_of_other_systems_are_no_mistake(tmp_path, ending):
    assert load_detector(put(tmp_path, TEXT.replace("\n", ending))).name == "pump"


def test_latin_1_is_named_with_its_line(tmp_path):
    path = put(tmp_path, after("description: Prüfstand").encode("latin-1"))

    assert refusal(path).startswith(f"{LAST}: the byte 0xfc after 'description: Pr' is no UTF-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_another_unicode_is_refused(tmp_path, encoding):
    message = refusal(put(tmp_path, TEXT.encode(encoding)))

    assert (
        "save the file as UTF-8" in message
        or "save it as UTF-8" in message
        or "not valid YAML" in message
    )


@pytest.mark.parametrize("size", [MOST_BYTES, MOST_BYTES + 1])
def test_a_file_has_a_largest_size(tmp_path, size):
    text = TEXT + "#" * (size - len(TEXT) - 1) + "\n"
    path = put(tmp_path, text)

    if size == MOST_BYTES:
        assert load_detector(path).name == "pump"
    else:
        assert refusal(path).endswith("data elsewhere")


@pytest.mark.parametrize(
    "line", ["x: [" + "1," * 100_000 + "]", "x: &x [1, 1, 1]\ny: [" + "*x," * 30_000 + "]"]
)
def test_a_file_has_a_largest_number_of_values(tmp_path, line):
    assert "holds more than 100,000 keys and values" in refusal(put(tmp_path, after(line)))


@pytest.mark.parametrize("kind", ["keys", "units", "machines", "renamings"])
def test_of_ten_thousand_mistakes_the_first_are_reported(tmp_path, kind):
    text = {
        "keys": after("\n".join(f"k{n}: 1" for n in range(10_000))),
        "units": TEXT.replace(
            "    load:", "".join(f"    f{n}: {{unit: 1}}\n" for n in range(10_000)) + "    load:"
        ),
        "machines": TEXT.replace(
            "  cadence", f"  entities: [{', '.join(['A'] * 10_000)}]\n  cadence"
        ),
        "renamings": TEXT.replace(
            "pump.csv}", f"x, rename: {{{', '.join(f's{n}: flwo' for n in range(10_000))}}}}}"
        ),
    }[kind]

    said = refusal(put(tmp_path, text))

    assert 4 < len(said.splitlines()) < 40
    assert said.endswith("there are more mistakes; fix these first")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("times", [21, 5_000, 100_000])
def test_depth_is_refused_before_it_can_overflow(tmp_path, opening, times):
    assert "is nested deeper than 20 levels" in refusal(put(tmp_path, opening * times))


def test_aliases_are_refused_before_they_can_grow(tmp_path):
    rows = [f"b{n + 1}: &b{n + 1} [{', '.join([f'*b{n}'] * 10)}]" for n in range(9)]
    path = put(tmp_path, after("b0: &b0 x\n" + "\n".join(rows)))

    assert refusal(path) == (
        f"{LAST + 5}: *b4: holds more than 100,000 keys and values, written out; hold fewer"
    )


def test_one_long_word_repeated_is_as_large_as_it_is_written_out(tmp_path):
    path = put(tmp_path, after(f"x: &x {'w' * 10_000}\ny: [{', '.join(['*x'] * 200)}]"))

    assert "makes the file larger than 1,000,000 bytes" in refusal(path)


def test_aliases_add_up_in_depth(tmp_path):
    rows = [f"d{n + 1}: &d{n + 1} [[[[*d{n}]]]]" for n in range(6)]

    assert "is nested deeper than 20 levels" in refusal(
        put(tmp_path, after("d0: &d0 x\n" + "\n".join(rows)))
    )


@pytest.mark.parametrize("line", ["x: &x [*x]", "x: *y", "x: &x {a: {b: *x}}"])
def test_an_alias_of_what_it_is_in_is_refused(tmp_path, line):
    assert "repeats what is not there yet, or what it is in" in refusal(put(tmp_path, after(line)))


def test_a_few_repeated_values_are_no_mistake(tmp_path):
    text = TEXT.replace("{unit: l/s}", "&f {unit: l/s, range: [0, 9]}").replace(
        "{unit: kW}", "*f\n    heat: {<<: *f, unit: K}"
    )

    features = load_detector(put(tmp_path, text)).columns.features

    assert features["load"] == features["flow"]
    assert (features["heat"].unit, features["heat"].range) == ("K", (0, 9))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("? [a, b]\n: 1", "?: a list or a mapping cannot be a key"),
        ("? {a: b}\n: 1", "?: a list or a mapping cannot be a key"),
        ("on: 1", 'on: YAML reads this key as true or false; write it in quotes: "on"'),
        ("12: 1", '12: YAML reads this key as a number; write it in quotes: "12"'),
        ("2024-01-01: 1", "2024-01-01: YAML reads this key as a date; write it in quotes"),
        ("?\n: 1", ": a key is empty"),
        ("<<: 1", "<<: unknown key"),
        ("<<: [1, {a: 1}]", "<<: unknown key"),
        ("<<: {[a]: 1}", "?: a list or a mapping cannot be a key"),
        ("name: pump", "name: the key is there twice; remove one"),
        ("x: !!python/object/apply:os.system [id]", "is a tag, which is not read"),
        ("x: !!int abc", "!!int: is a tag, which is not read"),
        ("x: !!set {a}", "!!set: is a tag, which is not read"),
        ("---\na: 1", "the file: holds a second document"),
        ("window:\n\tlength: 3", "indent by blanks, not by tabs"),
        ("description: %", "the file: is not valid YAML"),
        ("window: ", "window: got None; its keys are needed"),
        ("model: linear", "model: got 'linear'; its keys are needed"),
        ("model: {horizons: [soon]}", "model.horizons.0: got 'soon', which is no span of time"),
        ("notify: {to: a@b.org}", "notify.to: got 'a@b.org'; a list is needed"),
        ("x: [1", "the file: is not valid YAML"),
        ("x: [&a 1, &a 2]", "the file: is not valid YAML: found duplicate anchor"),
        ('x: "\\ud800"', "the file: is not valid YAML"),
        ("x: \x01", "the file: is not valid YAML"),
    ],
)
def test_what_yaml_reads_in_its_own_way_is_reported_with_its_line(tmp_path, line, message):
    said = refusal(put(tmp_path, after(line)))

    number, _, problem = said.partition(": ")
    assert message in problem
    assert int(number) in (LAST, LAST + 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("l/s", "1", "8: schema.features.flow.unit: got 1, which YAML reads as a number"),
        ("l/s", "1", 'write it in quotes: unit: "1"'),
        ("l/s", "no", 'got no, which YAML reads as true or false; write it in quotes: unit: "no"'),
        ("l/s", "2024-01-01", 'which YAML reads as a date; write it in quotes: unit: "2024-01-01"'),
        ("l/s", "", "schema.features.flow.unit: is empty; write a text, or remove the key"),
        ("l/s", "[1]", "schema.features.flow.unit: got [1]; a text is needed"),
        ("flow:", "off:", "8: schema.features.off: YAML reads this key as true or false; write"),
        ("flow:", "off:", 'write it in quotes: "off":'),
        ("machine", "machine\n  entities: [1, 2]", "6: schema.entities.0: got 1, which YAML"),
        ("machine", "machine\n  entities: [1, 2]", "schema.entities.1: got 2, which YAML reads"),
        ("2024-01-01", "2026-02-29", "10: schedule.start: got '2026-02-29'; this is no day"),
        ("2024-01-01", "2026-13-01", "schedule.start: got '2026-13-01'; this is no day"),
        ("2024-01-01", "01.02.2026", "schedule.start: got '01.02.2026'; this is no day"),
        ("2024-01-01", "2026", "schedule.start: got 2026; this is no day"),
        ("kind: csv, ", "", "2: source: names no kind; add `kind: ...` to it"),
        ("2024-01-01", "0001-01-01", "got 0001-01-01; limit 1678-01-01 to 2261-12-31"),
        ("2024-01-01", "2024-01-01, end: 9999-12-31", "schedule.end: got 9999-12-31; limit"),
        ("1min", "1:30", "6: schema.cadence: got '1:30', which is no span of time"),
        ("1min", "yes", "schema.cadence: got True, which is no number and no span of time"),
    ],
)
def test_what_a_person_meant_as_text_must_be_quoted(tmp_path, old, new, message):
    assert message in refusal(put(tmp_path, TEXT.replace(old, new)))


@pytest.mark.parametrize("digits", [400, 4_299, 10_000])
@pytest.mark.parametrize("key", ["seed", "steps", "learning_rate"])
def test_a_number_of_thousands_of_digits_is_a_mistake_of_one_line(tmp_path, digits, key):
    said = refusal(put(tmp_path, after(f"model: {{{key}: {'9' * digits}}}")))

    assert said.startswith(f"{LAST}: model.{key}: got ")
    assert len(said) < 300


@pytest.mark.parametrize("value", ["x" * 100_000, "[" + "1, " * 50_000 + "1]"])
def test_a_message_is_short_however_long_the_value(tmp_path, value):
    said = refusal(put(tmp_path, after(f"unknown: {value}")))

    assert "unknown key" in said
    assert len(said) < 700


def test_a_key_of_a_hundred_thousand_letters_is_reported_at_once(tmp_path):
    assert len(refusal(put(tmp_path, after(f"{'k' * 1000}: 1\n? {'q' * 100_000}\n: 1")))) < 1500


def test_of_very_many_mistakes_the_first_are_reported(tmp_path):
    said = refusal(put(tmp_path, after("\n".join(f"k{n}: 1" for n in range(500)))))
    lines = said.splitlines()

    assert len(lines) > 4
    assert len(said) < 24 * 100
    assert lines[-1].endswith("there are more mistakes; fix these first")


def test_a_section_is_reported_with_the_line_of_its_key(tmp_path):
    text = TEXT.replace("flow: {unit: l/s}", "flow:\n      unit: l/s\n      range: [3, 1]")

    assert refusal(put(tmp_path, text)).startswith("8: schema.features.flow: range [3.0, 1.0]")


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "secret"])
def test_what_is_no_readable_file_is_reported_and_awaited_by_nobody(tmp_path, kind):
    path = tmp_path / "pump.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "gone.yaml")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/proc/self/mem")  # what even root cannot read
    said: list[str] = []

    # In a thread of its own: whoever opened the pipe would wait for ever.
    asking = threading.Thread(target=lambda: said.append(refusal(path)), daemon=True)
    asking.start()
    asking.join(10)

    message = {
        "folder": "is a folder",
        "link": "is a link to what is not there",
        "pipe": "is no regular file",
        "secret": "cannot be read",
    }
    assert message[kind] in said[0]


def test_leading_zeros_are_no_octal_number(tmp_path):
    spec = load_detector(put(tmp_path, after("split: {training_days: 090, minimum_days: 030}")))

    assert (spec.split.training_days, spec.split.minimum_days) == (90, 30)

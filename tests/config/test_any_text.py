"""Whatever a detector file says, `check` answers: right, or one line for each mistake."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli import main
from tests.config.files import put

WHOLE = """\
name: pump
description: x
source: {kind: csv, path: x.csv, timezone: UTC, delimiter: ";", rename: {p: a}}
schema:
  timestamp: time
  entity: m
  entities: [A, B]
  cadence: 1h
  features:
    a: {unit: C, range: [0, 1], stuck_after: 3h, day_median: [0, 1], may_be_constant: true}
    b: {unit: C, circular: true, context: true}
  derived: [{kind: peer_deviation, of: [a], minimum_peers: 1}]
  evaluation_only: [eval_x]
  incident: eval_x
  exclude_from_training: [eval_x]
validation: {minimum_completeness: 0.8}
window: {length: 3, derivative: true, rolling: [mean]}
split: {method: contiguous, training_days: 90, train: 4}
model: {family: denoising, members: 4, horizons: [1d, all], learning_rate: 0.001}
score: {kind: memory, rows: 100}
smoothing: {rows: 3}
contexts: {by: column, column: a}
threshold: {method: conformal, alpha: 0.01}
gate: {required_faults: [spike, unit change]}
schedule: {start: 2026-01-01, end: 2026-02-01, train: '0 3 1 * *'}
promotion: {approval: human, approval_hours: 3}
incidents: {join: 1h}
notify: {channel: smtp, connection: x, to: [a@b]}
housekeeping: {versions: 12}
"""
WORDS = [each.span() for each in re.finditer(r"[A-Za-z0-9_./;@'\"-]+", WHOLE)]
ODD = (
    "~ null on 1 -1 0 1e400 .inf .nan 99999999999999999999 2026-02-29 2026-13-01 0001-01-01",
    "9999-12-31 1:30 1:30:30.5 0x1F 010 1_000 [] {} [1] {a:1} [[1]] &a *a <<: << = ? ! !!int",
    """!!binary|x "\\0" "\\n" "\\u2028" date T time time_fault __filename score eval_label 0s""",
    "999999999999d -1h P1D PT0S - --- P99999999999D 1ns +01:00 Europe/Pariss \\t tab kind {on:x}",
    """{kind:x} {[a]:b} {<<:{a:1}} true # : ' " % @ ` { [ } ] , ... 1.7976931348623157e308""",
    "2001-12-14t21:59:43.999999999999-05:00 9999-12-31T23:59:59-23:59 | > |+ %YAML \x01 \ufeff",
)


@st.composite
def edited(draw: st.DrawFn) -> str:
    """The whole file with a few of its words replaced."""
    text = WHOLE
    odd = (
        st.sampled_from([word for line in ODD for word in line.split()])
        | st.text(max_size=8)
        | st.integers().map(str)
        | st.just("9" * 6000)
    )
    places = st.sets(st.sampled_from(WORDS), min_size=1, max_size=3)
    for start, end in sorted(draw(places), reverse=True):
        text = text[:start] + draw(odd) + text[end:]
    return text


def cut_off(text: str) -> st.SearchStrategy[str]:
    return st.integers(0, len(text)).map(lambda end: text[:end])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("detectors")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=(edited() | cut_off(WHOLE) | st.text()).map(lambda t: t.encode("utf-8", "replace"))
    | st.binary()
)
def test_every_text_is_right_or_has_mistakes(folder, capsys, content):
    path = put(folder, content)

    code = main(["check", str(path)])

    shown = capsys.readouterr()
    assert code in (0, 1)
    lines = shown.err.splitlines()
    assert bool(lines) == bool(code)
    assert len(lines) < 22
    assert all(line.startswith(f"{path}:") and len(line) < 1000 for line in lines)


def test_the_file_that_is_edited_is_right(folder):
    assert main(["check", str(put(folder, WHOLE))]) == 0

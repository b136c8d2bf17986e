"""Promotion and rollback by real processes that are killed before each of their writes."""

from __future__ import annotations

import pytest

from benchmarks.operation import promotion

pytestmark = pytest.mark.integration


def test_every_kill_is_repaired_and_no_reader_ever_sees_a_mixed_version():
    rows = promotion.measure()

    assert [(row.asked, row.got, row.note) for row in rows if not row.met] == []

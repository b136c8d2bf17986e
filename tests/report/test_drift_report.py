from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Columns, Drift, Feature
from pipeline.data.timeline import Timeline
from pipeline.drift import DriftVerdict, Sample
from pipeline.report.drift_report import MAXIMUM_ROWS, plain_names, shown_rows, write_drift_report

QUIET = DriftVerdict("none", "none", "Nothing moved that matters.", (), ())
COLUMNS = Columns(cadence="10min", features={"a": Feature(unit="1"), "b": Feature(unit="1")})


def sample(n: int, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    timeline = Timeline(
        np.arange(n) * 600_000_000_000, np.zeros(n, dtype=np.intp), ("",), 600_000_000_000
    )
    return Sample(
        timeline, rng.standard_normal((n, 2)).astype("f4"), rng.exponential(size=n).astype("f4")
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Evidently reaches into numpy.core
def test_ks_is_named_for_every_column_also_above_a_thousand_rows(tmp_path: Path) -> None:
    page = tmp_path / "drift.html"

    write_drift_report(
        sample(3000, 1), sample(3000, 2), QUIET, columns=COLUMNS, limits=Drift(), path=page
    )

    content = page.read_text(encoding="utf-8")
    assert content.count("K-S p_value") >= 3
    assert "Wasserstein" not in content
    assert page.stat().st_size < 8_000_000


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_name_is_no_part_of_the_page(tmp_path: Path) -> None:
    page, name = tmp_path / "drift.html", "</script><b>&"
    columns = Columns(cadence="10min", features={name: Feature(unit="1"), "b": Feature(unit="1")})

    write_drift_report(
        sample(200, 1), sample(200, 2), QUIET, columns=columns, limits=Drift(), path=page
    )

    content = page.read_text(encoding="utf-8")
    assert name not in content
    assert json.dumps(plain_names([name])[0]) in content


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_page_says_at_its_top_what_the_verdict_was_and_which_test_decides(
    tmp_path: Path,
) -> None:
    page, reason = tmp_path / "drift.html", "The score was not judged <b>."
    blind = DriftVerdict("not judged", "none", reason, (), ())

    write_drift_report(
        sample(200, 1), sample(200, 2), blind, columns=COLUMNS, limits=Drift(), path=page
    )

    _, _, body = page.read_text(encoding="utf-8").partition("<body>")
    top, _, rest = body.partition("</section>")
    assert "Drift verdict: not judged; action: none" in top
    assert "The score was not judged &lt;b&gt;." in top
    assert "of which none decides" in top
    assert "<script" in rest


def test_names_stay_apart_on_the_page() -> None:
    assert len(set(plain_names(["a<b", "a\u2039b", "a&b", "a+b", "a+b'"]))) == 5


@pytest.mark.parametrize("n", [200, 5000])
def test_the_page_holds_no_more_rows_than_a_browser_likes(n: int) -> None:
    assert len(shown_rows(sample(n, 1))) == min(n, MAXIMUM_ROWS)


def test_importing_the_reports_does_not_import_evidently() -> None:
    code = (
        "import sys, pipeline.report.drift_report, pipeline.report.card, pipeline.report.figures; "
        "sys.exit('evidently' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

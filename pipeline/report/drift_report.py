"""The drift report: Evidently's HTML page, with our test and our sample sizes.

Evidently picks its own test and silently changes it above 1,000 rows (KS below, Wasserstein above),
so Kolmogorov-Smirnov is named for every column. The verdict is ours (`pipeline.drift`), which
counts effective rows, and stands at the top of the page; the rest is for looking at distributions.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config import Columns, Drift
from pipeline.data.timeline import Indices, autocorrelation, spaced, thinning_step
from pipeline.drift import SCORE, DriftVerdict, Sample
from pipeline.evaluation.rate import log_score
from pipeline.printable import one_line

_FITTING = "<style>@media (max-width: 1200px) { body { zoom: 0.6 } }</style>"
"""Evidently's page is cut below some 1,200 pixels, and MLflow's frame for it is smaller."""

_STYLE = "margin: 2rem; font: 1rem/1.5 sans-serif; max-width: 60rem"

_NO_MARKUP = str.maketrans("<>&", "\u2039\u203a+")

MAXIMUM_ROWS = 1000
"""Rows a side: the page embeds them, and a browser has to open it."""


def write_drift_report(
    reference: Sample,
    current: Sample,
    verdict: DriftVerdict,
    *,
    columns: Columns,
    limits: Drift,
    path: Path,
) -> None:
    """Write Evidently's HTML page for all features and the logarithm of the score to `path`.

    Above it stands the `verdict`, and which test decides.

    Rows are thinned by the score's autocorrelation and capped, or every p-value would be zero.
    """
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - 5 to 9 s, for this page alone
    from evidently.presets import DataDriftPreset  # noqa: PLC0415 - likewise

    names = plain_names([SCORE, *columns.feature_columns])
    definition = DataDefinition(numerical_columns=names)
    report = Report(
        [
            DataDriftPreset(
                columns=names,
                per_column_method=dict.fromkeys(names, "ks"),
                per_column_threshold=dict.fromkeys(names, limits.warn_q),
            )
        ]
    )
    snapshot = report.run(
        Dataset.from_pandas(_shown(current, names), data_definition=definition),
        Dataset.from_pandas(_shown(reference, names), data_definition=definition),
    )
    snapshot.save_html(str(path))
    page = path.read_text(encoding="utf-8")
    head, body, rest = page.replace("</head>", f"{_FITTING}</head>", 1).partition("<body>")
    path.write_text(f"{head}{body}{_above(verdict)}{rest}", encoding="utf-8")


def _above(verdict: DriftVerdict) -> str:
    return (
        f'<section style="{_STYLE}"><h1>Drift verdict: {escape(verdict.kind)}; action: '
        f"{escape(verdict.action)}</h1><p>{escape(one_line(verdict.reason))}</p><p>This verdict "
        "decides: it is Plimsoll's Kolmogorov-Smirnov test on effective rows, corrected for the "
        "number of series, with the flag rate and the channels' relations. What follows are "
        "Evidently's own tests of the rows shown, of which none decides.</p></section>"
    )


def plain_names(names: Sequence[str]) -> list[str]:
    """Names without markup, as Evidently writes names into the page as they are."""
    plain: list[str] = []
    for name in names:
        shown = name.translate(_NO_MARKUP)
        while shown in plain:
            shown += "'"
        plain.append(shown)
    return plain


def shown_rows(sample: Sample) -> Indices:
    """Rows of `sample` that the page shows: nearly independent, and at most MAXIMUM_ROWS."""
    rho = autocorrelation(log_score(sample.score), sample.timeline)
    rows = spaced(sample.timeline, thinning_step(rho))
    if len(rows) <= MAXIMUM_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MAXIMUM_ROWS).round().astype(np.intp)]


def _shown(sample: Sample, names: list[str]) -> pd.DataFrame:
    values = np.column_stack([log_score(sample.score), sample.features])
    return pd.DataFrame(values[shown_rows(sample)], columns=names)

"""The dashboard of one detector: its scores and threshold, data, version and costs."""

from __future__ import annotations

from deploy.grafana.history import HISTORY
from deploy.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    Dashboard,
    Kind,
    Panel,
    PanelSection,
    Query,
)


def _of(name: str, labels: str = "") -> str:
    """A metric of the chosen detector, without the labels of the exporter."""
    return f'max without (job, instance) (plimsoll_{name}{{detector="$detector"{labels}}})'


def _single(
    title: str,
    description: str,
    expr: str,
    unit: str,
    limits: tuple[tuple[float, str], ...] = (),
    kind: Kind = "stat",
) -> Panel:
    queries = (Query(expr, title),)
    return Panel(title, description, unit, queries, kind=kind, width=4, height=4, limits=limits)


_NOW = (
    _single("Version", "The version that is live.", _of("bundle_version"), "none"),
    _single(
        "Since the newest scored day",
        "Time since the newest scored day ended; an alert comes at 36 hours.",
        f"time() - ({_of('last_partition_timestamp_seconds')} + 86400)",
        "s",
        ((36 * 3600, VERMILION),),
    ),
    _single(
        "Scored last",
        "When the newest day was scored, or scored again.",
        f"{_of('last_scored_timestamp_seconds')} * 1000",
        "dateTimeFromNow",
    ),
    _single(
        "Open incidents",
        "Incidents of the newest 30 scored days that nobody has labelled.",
        _of("incidents_open"),
        "none",
        ((1, ORANGE),),
    ),
    _single(
        "Labels waiting",
        "Episodes proposed for labelling: `docker compose run --rm cli label $detector --list`.",
        _of("labels_waiting"),
        "none",
    ),
    _single(
        "Muted channels",
        "Left out of the newest day's scores, because they left their training range.",
        _of("muted_channels"),
        "none",
        ((1, ORANGE),),
    ),
)

_SCORES = (
    Panel(
        title="Scores and threshold",
        description="Quantiles of the scores of the newest scored day, and the threshold with its "
        "95 % interval. Where the 99 % quantile meets the threshold, one row in a hundred is "
        "flagged. An interval without an upper end is shown up to the threshold.",
        unit="short",
        width=16,
        height=11,
        queries=(
            Query(_of("score", ', quantile="0.5"'), "median", GREY),
            Query(_of("score", ', quantile="0.9"'), "90 %", SKY),
            Query(_of("score", ', quantile="0.95"'), "95 %", BLUE),
            Query(_of("score", ', quantile="0.99"'), "99 %", ORANGE),
            Query(_of("threshold"), "threshold", VERMILION),
            # An interval without an end is shown up to the threshold.
            Query(
                f"{_of('threshold_low')} or {_of('threshold')}",
                "threshold, low",
                VERMILION,
                dashed=True,
            ),
            Query(
                f"{_of('threshold_high')} or {_of('threshold')}",
                "threshold, high",
                VERMILION,
                dashed=True,
            ),
        ),
    ),
    Panel(
        title="Rows above the threshold",
        description="Share of flagged rows of the newest scored day, against the budget of normal "
        "rows. Incidents raise it; many days above it without incidents mean that the threshold "
        "is too low.",
        unit="percentunit",
        width=8,
        height=11,
        queries=(
            Query(_of("alert_ratio"), "flagged", BLUE),
            Query(_of("alert_budget_ratio"), "budget", VERMILION, dashed=True),
        ),
    ),
    Panel(
        title="Mean and spread of the scores",
        description="A mean that grows for weeks is creep: the machines or their sensors change.",
        unit="short",
        queries=(
            Query(_of("score_mean"), "mean", BLUE),
            Query(_of("score_stddev"), "standard deviation", SKY),
        ),
    ),
    Panel(
        title="95 % quantile against four weeks ago",
        description="Median of a week over that of the week four weeks before. "
        "PlimsollScoreDrifting reports 1.3 unless the network is younger. Without five weeks of "
        "history it is 1.",
        unit="none",
        queries=(
            Query(
                "max by (detector) (quantile_over_time(0.5, "
                'plimsoll_score{detector="$detector", quantile="0.95"}[7d])) '
                "/ (max by (detector) (quantile_over_time(0.5, "
                'plimsoll_score{detector="$detector", quantile="0.95"}[7d] offset 28d)) '
                "or max by (detector) (quantile_over_time(0.5, "
                'plimsoll_score{detector="$detector", quantile="0.95"}[7d])))',
                "this week / four weeks ago",
                BLUE,
            ),
            Query("vector(1.3)", "limit", VERMILION, dashed=True),
        ),
    ),
)

_DATA = (
    Panel(
        title="Drift by feature: distance D",
        description="Distance of features, and of the score, from the reference: 0.1 is about a "
        "quarter of a sigma, 0.2 half of one. At most the 20 that moved furthest. Only "
        "significant ones (the next panel) count.",
        unit="none",
        kind="bargauge",
        height=12,
        limits=((0.1, ORANGE), (0.2, VERMILION)),
        decimals=2,
        queries=(
            Query(f"sort_desc({_of('drift_distance')})", "{{feature}}"),
            Query(_of("score_growth"), "score since acceptance, where it rose"),
        ),
    ),
    Panel(
        title="Drift by feature: significance q",
        description="The chance of such a distance without drift, corrected for the number of "
        "tests. Below 0.01 it counts.",
        unit="none",
        height=12,
        queries=(
            Query(_of("drift_q"), "{{feature}}"),
            Query("vector(0.01)", "limit", VERMILION, dashed=True),
        ),
    ),
    Panel(
        title="Distance in the latent space",
        description="Distance of the day's mean reconstruction from the reference's, in "
        "deviations.",
        unit="none",
        width=8,
        queries=(Query(_of("latent_distance"), "distance", BLUE),),
    ),
    Panel(
        title="Rows of the newest ingested day",
        description="Let through, in quarantine, and scored. Scored rows are fewer where a window "
        "of rows is needed for one score.",
        unit="short",
        width=8,
        queries=(
            Query(_of("accepted_rows"), "accepted", GREEN),
            Query(
                'sum by (detector) (plimsoll_quarantined_rows{detector="$detector"}) '
                'or 0 * max by (detector) (plimsoll_accepted_rows{detector="$detector"})',
                "in quarantine",
                VERMILION,
            ),
            Query(_of("scored_rows"), "scored", BLUE, dashed=True),
        ),
    ),
    Panel(
        title="Completeness",
        description="Share of expected rows that came with a measurement.",
        unit="percentunit",
        width=8,
        queries=(Query(_of("completeness_ratio"), "completeness", BLUE),),
    ),
    Panel(
        title="Quarantine by rule",
        description="Rows of the newest ingested day by the rule that rejected them. The tables "
        "keep each row with its reason.",
        unit="short",
        width=24,
        queries=(
            Query(
                'sum by (rule) (plimsoll_quarantined_rows{detector="$detector"}) or '
                'label_replace(0 * max(plimsoll_accepted_rows{detector="$detector"}), '
                '"rule", "none", "", "")',
                "{{rule}}",
            ),
        ),
    ),
)

_LIFE = (
    Panel(
        title="Age of network and threshold",
        description="Time since training of the weights, estimation of the threshold, and "
        "promotion. Alerts come at 180 days for the network and at 92 for the threshold.",
        unit="s",
        width=12,
        queries=(
            Query(f"time() - {_of('bundle_created_timestamp_seconds')}", "network", BLUE),
            Query(f"time() - {_of('threshold_drawn_timestamp_seconds')}", "threshold", VERMILION),
            Query(f"time() - {_of('bundle_promoted_timestamp_seconds')}", "promotion", GREY),
        ),
    ),
    Panel(
        title="Versions",
        description="Steps up are promotions, a step down is a rollback; the ledger says who and "
        "why.",
        unit="none",
        width=12,
        queries=(Query(_of("bundle_version"), "live version", BLUE),),
    ),
    Panel(
        title="Processor time by DAG",
        description="Seconds of processor in the last 24 hours, by DAG.",
        unit="s",
        queries=(
            Query(
                'sum by (dag) (increase(plimsoll_cpu_seconds_total{detector="$detector"}[1d]))',
                "{{dag}}",
            ),
        ),
    ),
    Panel(
        title="Tasks by DAG",
        description="Attempts at tasks that ended in the last 24 hours, successful or not.",
        unit="short",
        width=6,
        queries=(
            Query(
                'sum by (dag) (increase(plimsoll_tasks_total{detector="$detector"}[1d]))',
                "{{dag}}",
            ),
        ),
    ),
    Panel(
        title="Duration of training",
        description="Wall time of the newest fit.",
        unit="s",
        width=6,
        queries=(Query(_of("training_duration_seconds"), "fit", BLUE),),
    ),
)

DETECTOR = Dashboard(
    uid="plimsoll-detector",
    title="Detector",
    description="One detector: its scores and threshold, data, version and costs.",
    sections=(
        PanelSection("Now", _NOW),
        PanelSection("Scores", _SCORES),
        HISTORY,
        PanelSection("Data", _DATA),
        PanelSection("Life", _LIFE),
    ),
    by_detector=True,
    since="now-30d",
)

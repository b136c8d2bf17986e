"""All detectors on one page: who needs somebody?"""

from __future__ import annotations

from deploy.grafana.panels import ORANGE, VERMILION, Dashboard, Panel, PanelSection, Query

# Alerts have no series while nothing is wrong; a known detector without any has 0.
_ALERTS = (
    'count by (detector) (ALERTS{alertstate="firing", detector!=""}) '
    "or 0 * max by (detector) (plimsoll_bundle_version)"
)
_AGE = "time() - (max by (detector) (plimsoll_last_partition_timestamp_seconds) + 86400)"
_SPENT = (
    "max by (detector) (plimsoll_alert_ratio) / max by (detector) (plimsoll_alert_budget_ratio)"
)
_DRIFTED = """
count by (detector) (
  max by (detector, feature) (plimsoll_drift_distance) >= 0.2
  and max by (detector, feature) (plimsoll_drift_q) < 0.01
) or 0 * max by (detector) (plimsoll_bundle_version)
"""

_LATE_S = 36 * 3600
_STALE_S, _OLD_S = 92 * 86400, 180 * 86400

_ALL = Panel(
    title="State of all detectors",
    told="One line a detector. Orange asks for a look, red is what an alert reports; "
    "docs/runbook.md says what to do. Click a column to sort by it.",
    unit="short",
    kind="table",
    width=24,
    height=12,
    queries=(
        Query(_ALERTS, "alerts", limits=((1, VERMILION),)),
        Query(
            "max by (detector) (plimsoll_days_without_verdict)",
            "days without verdict",
            limits=((1, VERMILION),),
        ),
        Query(_AGE, "since the newest scored day", unit="s", limits=((_LATE_S, VERMILION),)),
        Query(
            "max by (detector) (plimsoll_alert_ratio)", "rows above the line", unit="percentunit"
        ),
        Query(_SPENT, "of the budget", unit="percentunit", limits=((1, ORANGE), (2, VERMILION))),
        Query(
            "max by (detector) (plimsoll_incidents_open)",
            "open incidents",
            limits=((1, ORANGE),),
        ),
        Query("max by (detector) (plimsoll_labels_waiting)", "labels waiting"),
        Query("max by (detector) (plimsoll_muted_channels)", "muted", limits=((1, ORANGE),)),
        Query(_DRIFTED, "drifted series", limits=((1, ORANGE),)),
        Query(
            "max by (detector) (plimsoll_ledger_faults)",
            "not as the ledger says",
            limits=((1, VERMILION),),
        ),
        Query("max by (detector) (plimsoll_bundle_version)", "version", unit="none"),
        Query(
            "time() - max by (detector) (plimsoll_threshold_drawn_timestamp_seconds)",
            "age of the line",
            unit="s",
            limits=((_STALE_S, VERMILION),),
        ),
        Query(
            "time() - max by (detector) (plimsoll_bundle_created_timestamp_seconds)",
            "age of the network",
            unit="s",
            limits=((_OLD_S, VERMILION),),
        ),
    ),
)

_TOTALS = (
    Panel(
        title="Detectors",
        told="How many detectors the exporter shows.",
        unit="none",
        kind="stat",
        width=6,
        height=4,
        queries=(Query("max(plimsoll_detectors)", "detectors"),),
    ),
    Panel(
        title="Alerts firing",
        told="Of detectors and of the platform together. Their names are under Alerting.",
        unit="none",
        kind="stat",
        width=6,
        height=4,
        limits=((1, VERMILION),),
        queries=(Query('count(ALERTS{alertstate="firing"}) or vector(0)', "alerts"),),
    ),
    Panel(
        title="Days without a verdict",
        told="Expected days that were neither scored, nor quarantined, nor empty, nor failed by "
        "name. `docker compose run --rm cli status` lists them.",
        unit="none",
        kind="stat",
        width=6,
        height=4,
        limits=((1, VERMILION),),
        queries=(Query("sum(plimsoll_days_without_verdict)", "days"),),
    ),
    Panel(
        title="Open incidents",
        told="Of the newest 30 scored days of each detector, that nobody has judged.",
        unit="none",
        kind="stat",
        width=6,
        height=4,
        limits=((1, ORANGE),),
        queries=(Query("sum(plimsoll_incidents_open)", "incidents"),),
    ),
)

_COMPARED = (
    Panel(
        title="Rows above the line, in budgets",
        told="Share of flagged rows of the newest day over what normal rows may cross. Above 1 "
        "for a day is an event; above 2 for three days it is an alert.",
        unit="percentunit",
        queries=(Query(_SPENT, "{{detector}}"),),
    ),
    Panel(
        title="Since the newest scored day",
        told="Time since the newest scored day ended. A saw-tooth of a day and the length of the "
        "nightly run is normal; an alert comes at 36 hours.",
        unit="s",
        queries=(Query(_AGE, "{{detector}}"),),
    ),
    Panel(
        title="Processor time",
        told="Seconds of processor that a detector's tasks used in the last 24 hours.",
        unit="s",
        queries=(
            Query("sum by (detector) (increase(plimsoll_cpu_seconds_total[1d]))", "{{detector}}"),
        ),
    ),
    Panel(
        title="Rows in quarantine",
        told="Share of the newest ingested day, duplicates and rows without measurement left out. "
        "Validation blocks a day above 20 % by default.",
        unit="percentunit",
        queries=(Query("detector:plimsoll_quarantined:ratio", "{{detector}}"),),
    ),
)

FLEET = Dashboard(
    uid="plimsoll-detectors",
    title="Detectors",
    told="All detectors: which of them needs somebody?",
    sections=(
        PanelSection("Now", _TOTALS),
        PanelSection("Each", (_ALL,)),
        PanelSection("Compared", _COMPARED),
    ),
)

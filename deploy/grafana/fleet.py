"""The dashboard of all detectors: which of them need attention."""

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
    description="One row for each detector. Orange needs a look, red is what an alert reports; "
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
            "max by (detector) (plimsoll_alert_ratio)",
            "rows above the threshold",
            unit="percentunit",
        ),
        Query(_SPENT, "of the budget", unit="percentunit", limits=((1, ORANGE), (2, VERMILION))),
        Query(
            "max by (detector) (plimsoll_incidents_open)",
            "open incidents",
            limits=((1, ORANGE),),
        ),
        Query("max by (detector) (plimsoll_labels_waiting)", "labels waiting"),
        Query(
            "3600 * max by (detector) (plimsoll_threshold_broken_hours)",
            "the threshold does not hold",
            unit="s",
            limits=((1, VERMILION),),
        ),
        Query("max by (detector) (plimsoll_muted_channels)", "muted", limits=((1, ORANGE),)),
        Query(_DRIFTED, "drifted series", limits=((1, ORANGE),)),
        Query(
            "max by (detector) (plimsoll_ledger_faults)",
            "deviations from the ledger",
            limits=((1, VERMILION),),
        ),
        Query("max by (detector) (plimsoll_bundle_version)", "version", unit="none"),
        Query(
            "time() - max by (detector) (plimsoll_threshold_drawn_timestamp_seconds)",
            "age of the threshold",
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
        description="How many detectors the exporter shows.",
        unit="none",
        kind="stat",
        width=6,
        height=4,
        queries=(Query("max(plimsoll_detectors)", "detectors"),),
    ),
    Panel(
        title="Alerts firing",
        description="Of detectors and of the platform together. Their names are under Alerting.",
        unit="none",
        kind="stat",
        width=6,
        height=4,
        limits=((1, VERMILION),),
        queries=(Query('count(ALERTS{alertstate="firing"}) or vector(0)', "alerts"),),
    ),
    Panel(
        title="Days without a verdict",
        description="Expected days that were neither scored, nor quarantined, nor empty, nor "
        "recorded as failed. `docker compose run --rm cli status` lists them.",
        unit="none",
        kind="stat",
        width=6,
        height=4,
        limits=((1, VERMILION),),
        queries=(Query("sum(plimsoll_days_without_verdict)", "days"),),
    ),
    Panel(
        title="Open incidents",
        description="Incidents of the newest 30 scored days of each detector that nobody has "
        "labelled.",
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
        title="Rows above the threshold, in budgets",
        description="Share of flagged rows of the newest day over the budget of normal rows. "
        "Above 1 for a day is an event; above 2 for three days it is an alert.",
        unit="percentunit",
        queries=(Query(_SPENT, "{{detector}}"),),
    ),
    Panel(
        title="Since the newest scored day",
        description="Time since the newest scored day ended. A saw-tooth of a day and the length "
        "of the nightly run is normal; an alert comes at 36 hours.",
        unit="s",
        queries=(Query(_AGE, "{{detector}}"),),
    ),
    Panel(
        title="Processor time",
        description="Seconds of processor that a detector's tasks used in the last 24 hours.",
        unit="s",
        queries=(
            Query("sum by (detector) (increase(plimsoll_cpu_seconds_total[1d]))", "{{detector}}"),
        ),
    ),
    Panel(
        title="Rows in quarantine",
        description="Share of the newest ingested day, duplicates and rows without measurement "
        "left out. Validation blocks a day above 20 % by default.",
        unit="percentunit",
        queries=(Query("detector:plimsoll_quarantined:ratio", "{{detector}}"),),
    ),
)

FLEET = Dashboard(
    uid="plimsoll-detectors",
    title="Detectors",
    description="All detectors: which of them need attention?",
    sections=(
        PanelSection("Now", _TOTALS),
        PanelSection("Each", (_ALL,)),
        PanelSection("Compared", _COMPARED),
    ),
)

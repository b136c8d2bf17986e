"""The dashboard of the platform: targets, Airflow, storage."""

from __future__ import annotations

from deploy.grafana.panels import (
    BLUE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    Dashboard,
    Panel,
    PanelSection,
    Query,
)

_TARGETS = (
    Panel(
        title="Targets",
        description="1: answers; 0: does not. Airflow is not here: it pushes.",
        unit="none",
        width=8,
        queries=(Query("max by (job) (up)", "{{job}}"),),
    ),
    Panel(
        title="Duration of scrapes",
        description="Prometheus aborts a scrape after 10 s; PlimsollExporterSlow reports 5.",
        unit="s",
        width=8,
        queries=(Query("max by (job) (scrape_duration_seconds)", "{{job}}"),),
    ),
    Panel(
        title="The exporter's own time",
        description="Time to read the newest values from Postgres; it does not grow with history.",
        unit="s",
        width=8,
        queries=(Query("max(plimsoll_scrape_duration_seconds)", "read", BLUE),),
    ),
    Panel(
        title="Series in Prometheus",
        description="Grows with detectors and their features, not with days.",
        unit="short",
        queries=(Query("prometheus_tsdb_head_series", "series", BLUE),),
    ),
    Panel(
        title="Samples of a scrape",
        description="By job. A jump is a new detector, or labels that should not be there.",
        unit="short",
        queries=(Query("max by (job) (scrape_samples_scraped)", "{{job}}"),),
    ),
)

# Names as OTLP makes them; rules/platform.yml says how. All come from the scheduler and the DAG
# processor, and all must be let through by METRICS_ALLOW_LIST.
_AIRFLOW = (
    Panel(
        title="Heartbeats per minute",
        description="Heartbeats of scheduler, DAG processor and triggerer.",
        unit="none",
        width=8,
        queries=(
            Query("60 * sum(rate(airflow_scheduler_heartbeat_total[5m]))", "scheduler", BLUE),
            Query("60 * sum(rate(airflow_dag_processor_heartbeat_total[5m]))", "processor", SKY),
            Query("60 * sum(rate(airflow_triggerer_heartbeat_total[5m]))", "triggerer", GREY),
        ),
    ),
    Panel(
        title="Executor",
        description="Running tasks, waiting tasks, and free slots. Waiting without running: the "
        "workers are gone.",
        unit="short",
        width=8,
        queries=(
            Query("max(airflow_executor_running_tasks)", "running", BLUE),
            Query("max(airflow_executor_queued_tasks)", "queued", ORANGE),
            Query("max(airflow_executor_open_slots)", "free", GREY, dashed=True),
        ),
    ),
    Panel(
        title="Pools: waiting and running",
        description="By pool. Promotions have a pool with one slot, so one of them may wait there.",
        unit="short",
        width=8,
        queries=(
            Query("max by (pool_name) (airflow_pool_queued_slots)", "{{pool_name}} waiting"),
            Query("max by (pool_name) (airflow_pool_running_slots)", "{{pool_name}} running"),
        ),
    ),
    Panel(
        title="DAG files",
        description="Files that cannot be read, and how long reading all of them takes.",
        unit="short",
        queries=(
            Query("max(airflow_dag_processing_import_errors)", "unreadable", VERMILION),
            Query("max(airflow_dag_processing_total_parse_time)", "seconds to read all", BLUE),
        ),
    ),
    Panel(
        title="Tasks that starve",
        description="Tasks that are ready to run, but their pool is full.",
        unit="short",
        queries=(Query("max(airflow_scheduler_tasks_starving)", "starving", ORANGE),),
    ),
)

_STORAGE = (
    Panel(
        title="S3 requests per second",
        description="By kind of request, as SeaweedFS counts them.",
        unit="reqps",
        width=8,
        queries=(Query("sum by (type) (rate(SeaweedFS_s3_request_total[5m]))", "{{type}}"),),
    ),
    Panel(
        title="S3 answers per second",
        description="By status. 404 (is it there?) and 412 (did somebody else commit?) are work.",
        unit="reqps",
        width=8,
        queries=(Query("sum by (code) (rate(SeaweedFS_s3_request_total[5m]))", "{{code}}"),),
    ),
    Panel(
        title="Duration of an S3 request",
        description="Mean by kind of request since the server started.",
        unit="s",
        width=8,
        queries=(
            Query(
                "sum by (type) (SeaweedFS_s3_request_seconds_sum) "
                "/ sum by (type) (SeaweedFS_s3_request_seconds_count)",
                "{{type}}",
            ),
        ),
    ),
    Panel(
        title="Bytes per second by bucket",
        description="Into and out of the lake, MLflow's artifacts and the logs.",
        unit="Bps",
        queries=(
            Query(
                "sum by (bucket) (rate(SeaweedFS_s3_bucket_traffic_received_bytes_total[5m]))",
                "{{bucket}} in",
            ),
            Query(
                "sum by (bucket) (rate(SeaweedFS_s3_bucket_traffic_sent_bytes_total[5m]))",
                "{{bucket}} out",
            ),
        ),
    ),
    Panel(
        title="Disk",
        description="Of the disk that the lake is on. PlimsollStorageFull reports less than a "
        "tenth free.",
        unit="bytes",
        queries=(
            Query('max(SeaweedFS_volumeServer_resource{type="all"})', "whole", GREY, dashed=True),
            Query('max(SeaweedFS_volumeServer_resource{type="avail"})', "free", BLUE),
        ),
    ),
)

PLATFORM = Dashboard(
    uid="plimsoll-platform",
    title="Platform",
    description="What the detectors run on.",
    sections=(
        PanelSection("Targets", _TARGETS),
        PanelSection("Airflow (pushed by OTLP)", _AIRFLOW),
        PanelSection("Storage (SeaweedFS)", _STORAGE),
    ),
    since="now-1d",
)

"""The DAGs that every detector has."""

VERBS = (
    "ingest",
    "load",
    "train",
    "score",
    "ask",
    "label",
    "channel",
    "recalibrate",
    "rollback",
    "housekeeping",
)

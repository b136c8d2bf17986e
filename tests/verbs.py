"""The DAGs that every detector has."""

VERBS = (
    "ingest",
    "train",
    "score",
    "ask",
    "label",
    "feature",
    "recalibrate",
    "rollback",
    "housekeeping",
)

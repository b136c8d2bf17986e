"""Delta tables, partitioned by UTC day: read, append, replace days, scan, compact.

`pipeline.store` says which tables there are and what a row of each means.
"""

from pipeline.tables.engine import (
    Table,
    append,
    current_version,
    days_in,
    in_order,
    read,
    read_newest,
    read_where,
    replace_days,
    schema_of,
)

__all__ = [
    "Table",
    "append",
    "current_version",
    "days_in",
    "in_order",
    "read",
    "read_newest",
    "read_where",
    "replace_days",
    "schema_of",
]

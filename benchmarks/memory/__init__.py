"""`make bench-memory`: more rows than memory holds, streamed from Parquet."""

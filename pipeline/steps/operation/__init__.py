"""The steps of the score DAG for a day: scores, incidents, notices, drift, and their follow-ups."""

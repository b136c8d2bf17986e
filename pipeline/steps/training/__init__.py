"""What the train DAG does: from a window of telemetry to a judged candidate."""

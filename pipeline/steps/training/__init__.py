"""The steps of the train DAG: from a window of telemetry to a judged candidate."""

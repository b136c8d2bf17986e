"""Metrics of the detectors, kept in Postgres and exported to Prometheus.

`readings` has the records, `build` builds them from the results of the steps, `store` keeps them
and the costs of tasks, `families` turns the newest into metrics and `serving` answers scrapes.
"""

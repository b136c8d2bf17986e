"""What a detector measured of itself, kept in Postgres and shown to Prometheus.

`reading` is the record, `taking` makes readings of what the tables say, `store` keeps them, `cost`
counts what tasks spent, `families` turns the newest into metrics and `serving` answers scrapes.
"""

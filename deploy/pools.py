"""Airflow's pools of one slot, for work that must not run in parallel.

Promotion because the registry has no compare-and-set, training because one already uses a machine.
"""

from __future__ import annotations

POOLS = {
    "promotion": "One promotion or rollback at a time",
    "training": "One training at a time",
}

"""Airflow's pools of one slot, which keep work single file.

Promotion because the registry has no compare-and-set, training because one already uses a machine.
"""

from __future__ import annotations

POOLS = {
    "promotion": "One promotion or rollback at a time",
    "training": "One training at a time",
}

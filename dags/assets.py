"""The assets that connect DAGs."""

from __future__ import annotations

from airflow.sdk import Asset


def telemetry(detector: str) -> Asset:
    """A validated day; its partition key is the day."""
    return Asset(f"{detector}.telemetry")


def retraining(detector: str) -> Asset:
    """A drift verdict asks for a new model; the event carries `as_of` and `reason`."""
    return Asset(f"{detector}.retraining")


def recalibration(detector: str) -> Asset:
    """A drift verdict asks for a new threshold; the event carries `as_of` and `reason`."""
    return Asset(f"{detector}.recalibration")

"""Versions by number with their bundles, and the versions that share a network."""

from __future__ import annotations

from pipeline.errors import DataError
from pipeline.registry import tags
from pipeline.registry import versions as registered
from pipeline.registry.connection import connect
from pipeline.registry.versions import Version
from pipeline.settings import Deployment
from pipeline.steps import ledger_state, live
from pipeline.steps.live import LoadedVersion


def version_of(here: Deployment, detector: str, number: int) -> LoadedVersion:
    """Version `number` with its bundle.

    Raises:
        DataError: it was deleted.
    """
    found = registered.by_number(connect(here), detector, number)
    if found is None:
        msg = f"Version {number} of {detector} was deleted meanwhile; start the DAG again."
        raise DataError(msg)
    return live.opened(here, found, ledger_state.verified(here, detector))


def same_weights(here: Deployment, detector: str, version: Version) -> frozenset[int]:
    """The versions with the same network as `version`: all of them give the same scores."""
    every = registered.every(connect(here), detector)
    network = tags.weights_of(version)
    return frozenset(each.number for each in every if tags.weights_of(each) == network)

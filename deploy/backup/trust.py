"""Whose manifests are believed: the deployment's own, those of a key that a person kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.ledger.keys import PublicKey

OPTION = "--public-key"


@dataclass(frozen=True)
class ManifestTrust:
    """What proves a manifest.

    Attributes:
        keys: public halves of the keys that may have signed it.
        unsigned: whether one of an earlier release, which did not sign, is taken as it is.
    """

    keys: tuple[PublicKey, ...]
    unsigned: bool = False

"""Trust in manifests: those of the deployment's own keys, or of a given key. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.ledger.keys import PublicKey

OPTION = "--public-key"


@dataclass(frozen=True)
class ManifestTrust:
    """The keys that prove a manifest.

    Attributes:
        keys: public halves of the keys that may have signed it.
        unsigned: whether an unsigned one, of an earlier release, is accepted.
    """

    keys: tuple[PublicKey, ...]
    unsigned: bool = False

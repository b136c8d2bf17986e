"""The keys of this deployment: the one that signs its backups, and those it trusts."""

from __future__ import annotations

from deploy.backup.trust import OPTION, ManifestTrust
from pipeline import settings
from pipeline.ledger import keyring
from pipeline.ledger.keys import PrivateKey, public_keys


def own_key() -> PrivateKey:
    """The key that signs the backups of this deployment.

    Raises:
        ConfigError: it has none and may not create one.
    """
    return keyring.signer(settings.load(), "backup")


def trust_of(given: str | None, *, unsigned: bool) -> ManifestTrust:
    """The key that the command line gives, else those of this deployment.

    Raises:
        ConfigError: a word that is no key.
    """
    if given:
        return ManifestTrust(public_keys(given, OPTION), unsigned)
    return ManifestTrust(keyring.trusted(settings.load(), "backup"), unsigned)

"""The keys that this process holds.

A variable, else a file below the home of the deployment::

    PLIMSOLL_LEDGER_PRIVATE_KEY     <home>/keys/ledger.private    signs the ledger
    PLIMSOLL_LEDGER_PUBLIC_KEYS     <home>/keys/ledger.public     proves it
    PLIMSOLL_ANSWERS_PRIVATE_KEY    <home>/keys/answers.private   signs what people answered
    ...

`public` holds one key in each line, the newest last: a retired key still proves what it signed.
A deployment that was given no key at all creates its own on first use. One that was given public
keys only proves and never signs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import structlog

from pipeline import settings
from pipeline.errors import ConfigError
from pipeline.ledger.keys import PrivateKey, PublicKey, new_private_key, private_key, public_keys
from pipeline.private_file import create_private, write_private
from pipeline.settings import Deployment

Purpose = Literal["ledger", "answers", "backup"]
_PUBLIC = 0o644
PURPOSES: tuple[Purpose, ...] = ("ledger", "answers", "backup")

log = structlog.get_logger()


def signer(here: Deployment, purpose: Purpose) -> PrivateKey:
    """The private key of this process for `purpose`.

    Raises:
        ConfigError: it was given public keys only, a word that is no key, or a private key whose
            public half is not among the trusted ones.
    """
    found = _private(here, purpose)
    if found is None:
        if _public(here, purpose) is not None:
            raise ConfigError(_without(here, purpose))
        create_missing(here.home, (purpose,))
        found = _private(here, purpose)
    if found is None:
        raise ConfigError(_without(here, purpose))
    if found.public not in trusted(here, purpose):
        msg = (
            f"The private key {found.public.id} of {purpose} is not among the trusted ones "
            f"({', '.join(key.id for key in trusted(here, purpose))}): what it signs would prove "
            f"nothing. Add its public half to {_variable(purpose, 'PUBLIC_KEYS')} or "
            f"{_file(here.home, purpose, 'public')}; docs/security.md, 'Keys'."
        )
        raise ConfigError(msg)
    return found


def trusted(here: Deployment, purpose: Purpose) -> tuple[PublicKey, ...]:
    """The public keys that prove signatures for `purpose`, the oldest first; none: nobody signed.

    Raises:
        ConfigError: a word that is no key.
    """
    if (found := _public(here, purpose)) is not None:
        return found
    held = _private(here, purpose)
    return (held.public,) if held else ()


def create_missing(home: Path, purposes: tuple[Purpose, ...] = PURPOSES) -> None:
    """Create the pairs of keys that `home` lacks; of two processes that try at once, one does."""
    folder = home / "keys"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for purpose in purposes:
            private, public = (_file(home, purpose, half) for half in ("private", "public"))
            if public.exists():
                continue
            if create_private(private, new_private_key().written + "\n"):
                log.info("key_generated", purpose=purpose, file=str(private))
            key = private_key(private.read_text(), str(private))
            create_private(public, key.public.written + "\n", _PUBLIC)
    except OSError as error:
        msg = (
            f"No keys can be created in {folder} ({error.strerror}); make it writable, or set "
            + " and ".join(_variable(purpose, "PRIVATE_KEY") for purpose in purposes)
            + "."
        )
        raise ConfigError(msg) from error


def rotate(home: Path, purpose: Purpose, fresh: PrivateKey) -> None:
    """Make `fresh` the private key in `home`; the keys before it stay trusted."""
    private, public = (_file(home, purpose, half) for half in ("private", "public"))
    known = public.read_text() if public.exists() else ""
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(public, f"{known.rstrip()}\n{fresh.public.written}\n".lstrip(), _PUBLIC)
    write_private(private, fresh.written + "\n")


def is_given_by_environment(purpose: Purpose) -> bool:
    """Whether the keys come from variables, so that no command here can replace them."""
    return any(settings.named(_variable(purpose, part)) for part in ("PRIVATE_KEY", "PUBLIC_KEYS"))


def _private(here: Deployment, purpose: Purpose) -> PrivateKey | None:
    variable, file = _variable(purpose, "PRIVATE_KEY"), _file(here.home, purpose, "private")
    if text := settings.named(variable):
        return private_key(text, variable)
    if is_given_by_environment(purpose):
        return None  # the keys of the home are of another deployment
    content = _read(file)
    if content:
        _refuse_open_file(file)
    return private_key(content, str(file)) if content else None


def _refuse_open_file(file: Path) -> None:
    """Raise if others than its owner may read or write a private key."""
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        msg = (
            f"{file} is open to others (mode {mode:o}; limit 600): close it "
            f"with `chmod 600 {file}`. If others use this machine, they may have it: rotate the "
            "keys (docs/security.md, 'Keys')."
        )
        raise ConfigError(msg)


def _public(here: Deployment, purpose: Purpose) -> tuple[PublicKey, ...] | None:
    variable, file = _variable(purpose, "PUBLIC_KEYS"), _file(here.home, purpose, "public")
    if text := settings.named(variable):
        return public_keys(text, variable)
    if is_given_by_environment(purpose):
        return None
    content = _read(file)
    return public_keys(content, str(file)) if content else None


def _read(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"{file} cannot be read ({error.strerror}); it belongs to who runs the deployment."
        raise ConfigError(msg) from error


def _without(here: Deployment, purpose: Purpose) -> str:
    return (
        f"This process holds no private key of {purpose}, so it proves what others signed and "
        f"signs nothing. Run it where {_variable(purpose, 'PRIVATE_KEY')} or "
        f"{_file(here.home, purpose, 'private')} is: docs/security.md, 'Keys'."
    )


def _variable(purpose: Purpose, part: str) -> str:
    return f"PLIMSOLL_{purpose.upper()}_{part}"


def _file(home: Path, purpose: Purpose, half: str) -> Path:
    return home / "keys" / f"{purpose}.{half}"

"""Ed25519 keys (RFC 8032) that sign what must not be forged, and their public halves. Pure.

A key is written as one word, `ed25519:` and 32 bytes in base64, in a file or a variable.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.errors import ConfigError

_KIND, _BYTES = "ed25519:", 32


@dataclass(frozen=True)
class PublicKey:
    """The key that proves signatures. `written` is its text in a file or a variable."""

    written: str

    @property
    def id(self) -> str:
        """A short name, 16 hexadecimal digits, by which a signature names its key."""
        return hashlib.sha256(_decoded(self.written, "public")).hexdigest()[:16]

    def proves(self, content: bytes, signature: str) -> bool:
        """Whether the private half of this key signed `content`."""
        key = Ed25519PublicKey.from_public_bytes(_decoded(self.written, "public"))
        try:
            key.verify(base64.b64decode(signature, validate=True), content)
        except (InvalidSignature, ValueError):  # ValueError: no base64
            return False
        return True


@dataclass(frozen=True)
class Signature:
    """A signature in base64, and the id of the key that signed."""

    key: str
    value: str


@dataclass(frozen=True)
class PrivateKey:
    """The key that signs. It is never shown: `repr` leaves it out."""

    written: str = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return PublicKey(_written(self._key().public_key().public_bytes_raw()))

    def sign(self, content: bytes) -> Signature:
        """The signature of `content`."""
        return Signature(self.public.id, base64.b64encode(self._key().sign(content)).decode())

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(_decoded(self.written, "private"))


def new_private_key() -> PrivateKey:
    """A new private key."""
    return PrivateKey(_written(Ed25519PrivateKey.generate().private_bytes_raw()))


def private_key(text: str, where: str) -> PrivateKey:
    """The private key that `text` holds; `where` names its origin.

    Raises:
        ConfigError: it holds none. The text is not repeated.
    """
    return PrivateKey(_word(text, where, "private"))


def public_keys(text: str, where: str) -> tuple[PublicKey, ...]:
    """The public keys that `text` holds, between spaces, commas or new lines, the oldest first.

    Raises:
        ConfigError: one of the words is no key, or there is none.
    """
    words = text.replace(",", " ").split()
    found = tuple(PublicKey(_word(word, where, "public")) for word in words)
    if not found:
        msg = f"{where} holds no public key; it holds `{_KIND}` and 44 characters for each."
        raise ConfigError(msg)
    return found


def verifies(content: bytes, signature: Signature, trusted: Sequence[PublicKey]) -> bool:
    """Whether one of the `trusted` keys signed `content`."""
    return any(key.id == signature.key and key.proves(content, signature.value) for key in trusted)


def _word(text: str, where: str, half: str) -> str:
    word = text.strip()
    try:
        right = len(_decoded(word, half)) == _BYTES
    except ValueError:
        right = False
    if not right:
        msg = (
            f"{where} holds no {half} key: {len(word)} characters where `{_KIND}` and "
            f"{_BYTES} bytes in base64 (44 characters) belong. Restore it from where you keep your "
            "secrets; docs/security.md, 'Keys', says what to do when it is lost."
        )
        raise ConfigError(msg)
    return word


def _decoded(word: str, half: str) -> bytes:
    kind, found, content = word.partition(":")
    if not found or f"{kind}:" != _KIND:
        msg = f"a {half} key begins with {_KIND}"
        raise ValueError(msg)
    return base64.b64decode(content, validate=True)


def _written(content: bytes) -> str:
    return _KIND + base64.b64encode(content).decode()

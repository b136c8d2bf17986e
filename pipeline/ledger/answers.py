"""A person's answer, signed by the key of answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pipeline.ledger.keys import PrivateKey, PublicKey, Signature, verifies


def signature_of(content: Mapping[str, str], key: PrivateKey) -> Signature:
    """The signature of an answer, whatever the order of its parts."""
    return key.sign(_bytes(content))


def holds(content: Mapping[str, str], signature: Signature, trusted: Sequence[PublicKey]) -> bool:
    """Whether a trusted key signed this answer."""
    return verifies(_bytes(content), signature, trusted)


def as_text(content: Mapping[str, str], key: PrivateKey) -> str:
    """An answer with its signature, JSON."""
    signature = signature_of(content, key)
    return json.dumps({**content, "key": signature.key, "signature": signature.value})


def text_holds(text: str, trusted: Sequence[PublicKey]) -> bool:
    """Whether an answer that `as_text` wrote is proven."""
    try:
        content = {str(name): str(value) for name, value in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError):  # no JSON text of an object: nobody's answer
        return False
    signature = Signature(content.pop("key", ""), content.pop("signature", ""))
    return holds(content, signature, trusted)


def _bytes(content: Mapping[str, str]) -> bytes:
    return b"plimsoll answer " + json.dumps(dict(content), sort_keys=True).encode()

"""Public halves of keys by the RFC's arithmetic, against the package that signs."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from deploy import ed25519
from pipeline.ledger import keys

VECTORS = {
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    ),
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    ),
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
    ),
}
"""The first three test vectors of RFC 8032, section 7.1."""


def word(content: bytes) -> str:
    return f"ed25519:{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("private", VECTORS)
def test_it_is_that_of_the_rfc(private: str):
    public = ed25519.public_of(word(bytes.fromhex(private)))

    assert public == word(bytes.fromhex(VECTORS[private]))


@given(st.binary(min_size=32, max_size=32))
def test_it_is_that_of_the_package_that_signs(seed: bytes):
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    assert ed25519.public_of(word(seed)) == word(public)


def test_a_new_key_is_one_of_the_pipeline_and_never_the_same():
    one, two = ed25519.new_private_key(), ed25519.new_private_key()

    assert one != two
    assert keys.private_key(one, "").public.written == ed25519.public_of(one)


@pytest.mark.parametrize(
    "other",
    ["", "ed25519:", "ed25519:AAAA", "x25519:" + "A" * 43 + "=", "A" * 43 + "=", "ed25519:é"],
)
def test_what_is_no_key_is_reported(other: str):
    assert not ed25519.is_key(other)
    assert ed25519.is_key(ed25519.new_private_key())

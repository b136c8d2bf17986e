"""The public half of an Ed25519 key, by the standard library alone; it signs and proves nothing.

A host that has only Docker generates its secrets with `deploy.secrets`, before anything is
installed. The arithmetic does not run in constant time: it runs once, where the key is generated.
Source: RFC 8032, section 5.1; the names are its names.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

KIND = "ed25519:"
BYTES = 32

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_B_Y = 4 * pow(5, -1, _P) % _P

Point = tuple[int, int, int, int]
"""X, Y, Z and T of a point of the curve: x = X / Z, y = Y / Z and x y = T / Z."""


def new_private_key() -> str:
    """A new private key as a word."""
    return _word(secrets.token_bytes(BYTES))


def is_key(word: str) -> bool:
    """Whether `word` is a key: `ed25519:` and 32 bytes in base64."""
    kind, content = word[: len(KIND)], word[len(KIND) :]
    try:
        return kind == KIND and len(base64.b64decode(content, validate=True)) == BYTES
    except ValueError:
        return False


def public_of(private: str) -> str:
    """The public half of the private key `private`, both as words (section 5.1.5)."""
    seed = base64.b64decode(private.removeprefix(KIND), validate=True)
    h = hashlib.sha512(seed).digest()[:BYTES]
    s = int.from_bytes(h, "little")
    s &= (1 << 254) - 8
    s |= 1 << 254
    return _word(_compressed(_times(s, _base_point())))


def _base_point() -> Point:
    """The point B with the y of 4/5 and an even x (sections 5.1 and 5.1.3)."""
    y = _B_Y
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P)
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if x & 1:
        x = _P - x
    return x, y, 1, x * y % _P


def _sum(one: Point, other: Point) -> Point:
    """Addition of points, doubling too (section 5.1.4)."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(s: int, point: Point) -> Point:
    product: Point = (0, 1, 1, 0)
    while s:
        if s & 1:
            product = _sum(product, point)
        point, s = _sum(point, point), s >> 1
    return product


def _compressed(point: Point) -> bytes:
    """y, and in its top bit whether x is odd (section 5.1.2)."""
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(BYTES, "little")


def _word(content: bytes) -> str:
    return KIND + base64.b64encode(content).decode()


if __name__ == "__main__":
    private = new_private_key()
    print(f"PRIVATE_KEY={private}\nPUBLIC_KEYS={public_of(private)}")

"""The `.env` of the full stack, with a secret generated wherever one is missing: `make secrets`.

Run it as often as you like: values that are set stay, because the databases have them. It
needs Python and nothing else, so that a host that has only Docker besides can run it.
"""

from __future__ import annotations

import base64
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy import ed25519
from pipeline.private_file import write_private

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLE = REPOSITORY / ".env.example"

# What goes into a URL must need no quoting there; S3 keys of other makers hold "/" and "+".
IN_URLS = r"[A-Za-z0-9._~-]+"
IN_JSON = r"[A-Za-z0-9._~+/=-]+"
ONE_LINE = r"[^\s'\"\\$]+"
FERNET = r"[A-Za-z0-9_-]{43}=(,[A-Za-z0-9_-]{43}=)*"  # several while one replaces another

SHORTEST = 16
FEWEST_CHARACTERS = 6  # 20 random hexadecimal digits show fewer once in 10 million
PLACEHOLDERS = ("changeme", "change_me", "change-me", "example", "password", "placeholder")


@dataclass(frozen=True)
class Kind:
    """How one kind of secret is generated, and the pattern of its values."""

    generate: Callable[[], str]
    pattern: str
    looks: str
    shortest: int = SHORTEST


# Hexadecimal: safe in URLs, shells and configuration files, and never starts with a dash.
_URL = Kind(lambda: secrets.token_hex(24), IN_URLS, "letters, digits and . _ ~ - only")
_ACCESS_KEY = Kind(lambda: secrets.token_hex(10), IN_JSON, "letters, digits and . _ ~ + / = - only")
_SECRET_KEY = Kind(lambda: secrets.token_hex(24), IN_JSON, "letters, digits and . _ ~ + / = - only")
_JWT = Kind(lambda: secrets.token_hex(64), IN_URLS, "letters, digits and . _ ~ - only", 64)
_FERNET = Kind(
    lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    FERNET,
    "32 bytes in URL-safe base64: 43 characters and a =",
)
_TYPED = Kind(lambda: secrets.token_hex(12), ONE_LINE, "one word without quotes, backslash or $")

SECRETS: dict[str, Kind] = {
    "POSTGRES_PASSWORD": _URL,
    "AIRFLOW_DB_PASSWORD": _URL,
    "CELERY_DB_PASSWORD": _URL,
    "MLFLOW_DB_PASSWORD": _URL,
    "PLIMSOLL_DB_PASSWORD": _URL,
    "PLIMSOLL_LEDGER_DB_PASSWORD": _URL,
    "PLIMSOLL_READER_DB_PASSWORD": _URL,
    "VALKEY_PASSWORD": _URL,
    "LAKE_ACCESS_KEY": _ACCESS_KEY,
    "LAKE_SECRET_KEY": _SECRET_KEY,
    "MLFLOW_ACCESS_KEY": _ACCESS_KEY,
    "MLFLOW_SECRET_KEY": _SECRET_KEY,
    "LOGS_ACCESS_KEY": _ACCESS_KEY,
    "LOGS_SECRET_KEY": _SECRET_KEY,
    "AIRFLOW_FERNET_KEY": _FERNET,
    "AIRFLOW_JWT_SECRET": _JWT,  # HS512 wants 64 bytes
    "AIRFLOW_API_SECRET_KEY": _URL,
    "MLFLOW_TOKEN": _URL,
    "AIRFLOW_ADMIN_PASSWORD": _TYPED,
    "MLFLOW_ADMIN_PASSWORD": _TYPED,
    "GRAFANA_ADMIN_PASSWORD": _TYPED,
}

PAIRS: dict[str, str] = {
    f"PLIMSOLL_{purpose}_PRIVATE_KEY": f"PLIMSOLL_{purpose}_PUBLIC_KEYS"
    for purpose in ("LEDGER", "ANSWERS", "BACKUP")
}
"""Private keys, and the variable of their public halves, former ones included."""

_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$")


def main(arguments: list[str]) -> int:
    """Write the file named by the first argument, `.env` by default; returns the exit status."""
    path = Path(arguments[0] if arguments else REPOSITORY / ".env").resolve()
    before = path.read_text() if path.exists() else ""
    after, added = completed(EXAMPLE.read_text(), before)
    wrong = faults(after)
    if wrong:
        print(f"{path} was left as it is:", *wrong, sep="\n  ", file=sys.stderr)
        return 1
    write_private(path, after)
    print(f"{path}: added {', '.join(added)}" if added else f"{path}: nothing was missing")
    return 0


def completed(example: str, existing: str) -> tuple[str, list[str]]:
    """`existing` with what it lacks of `example` and new secrets for empty ones; the names added.

    Lines that hold a value, comments and the user's own variables stay as they are.
    """
    have = {name for name, _ in _assignments(existing)}
    missing = [block for block in _blocks(example) if block[0] not in have]
    parts = [existing if not existing or existing.endswith("\n") else existing + "\n"]
    parts += [f"{comment}{name}={value}\n" for name, comment, value in missing]
    lines, generated = [], []
    for line in (example if not existing.strip() else "".join(parts)).splitlines():
        name, value = _read(line)
        if name in SECRETS and not value:
            line = f"{name}={SECRETS[name].generate()}"  # noqa: PLW2901 - the new text of the line
            generated.append(name)
        lines.append(line)
    lines, paired = _with_pairs(lines)
    generated += paired
    named = [name for name, _, _ in missing if name not in generated] if existing.strip() else []
    return "\n".join(lines) + "\n", named + generated


def _with_pairs(lines: list[str]) -> tuple[list[str], list[str]]:
    """`lines` with a new pair of keys for each absent one; the names added.

    Public keys without a private one are left alone: they prove what was signed, and a new
    private key belongs beside them, not in their place.
    """
    values = dict(_assignments("\n".join(lines)))
    fresh: dict[str, str] = {}
    for private, public in PAIRS.items():
        key = values.get(private) or ("" if values.get(public) else ed25519.new_private_key())
        if not values.get(private) and key:
            fresh[private] = key
        if not values.get(public) and ed25519.is_key(key):
            fresh[public] = ed25519.public_of(key)
    written = [f"{name}={fresh[name]}" if (name := _read(x)[0]) in fresh else x for x in lines]
    return written, list(fresh)


def faults(text: str) -> list[str]:
    """The faults of the secrets of an `.env`, a sentence each; the values are not repeated."""
    found = _assignments(text)
    values = dict(found)
    twice = [name for name, times in Counter(name for name, _ in found).items() if times > 1]
    return [
        *(f"{name} is set twice: remove one of the lines." for name in twice),
        *(f"{name} is not there: run this again." for name in SECRETS if not values.get(name)),
        *(fault for name in SECRETS if (fault := _weakness(name, values.get(name, "")))),
        *_shared({name: values[name] for name in (*SECRETS, *PAIRS) if values.get(name)}),
        *(fault for private in PAIRS if (fault := _mismatch(private, values))),
    ]


def _weakness(name: str, value: str) -> str | None:
    kind = SECRETS[name]
    fix = "Empty its value and run this again to generate one."
    if not value:
        return None
    if not re.fullmatch(kind.pattern, value):
        return f"{name} must be {kind.looks}. {fix}"
    if len(value) < kind.shortest:
        return f"{name} has {len(value)} characters; at least {kind.shortest} are needed. {fix}"
    if kind is not _FERNET and any(word in value.lower() for word in PLACEHOLDERS):
        return f"{name} still holds a placeholder. {fix}"
    if len(set(value)) < FEWEST_CHARACTERS:
        return f"{name} repeats {len(set(value))} characters and can be guessed. {fix}"
    return None


def _mismatch(private: str, values: Mapping[str, str]) -> str | None:
    """The fault of a pair of keys."""
    public = PAIRS[private]
    key, trusted = values.get(private, ""), values.get(public, "").replace(",", " ").split()
    if not key:
        return (
            f"{private} is not there, and {public} is: put the private key back. If it is lost, "
            f"empty both, run this again, and write the old public keys in front of the new one."
        )
    if not all(ed25519.is_key(word) for word in (key, *trusted)):
        name = public if ed25519.is_key(key) else private
        return f"{name} must be {ed25519.KIND} and 32 bytes in base64: put the key back."
    if ed25519.public_of(key) not in trusted:
        return (
            f"{public} lacks the public half of {private}, so what that signs would prove nothing: "
            f"add {ed25519.public_of(key)} behind the others."
        )
    return None


def _shared(values: Mapping[str, str]) -> list[str]:
    """Secrets that two services would share; the passwords of all pages may be the same."""
    first: dict[str, str] = {}
    return [
        f"{name} is the same as {first[value]}: empty one of them and run this again."
        for name, value in values.items()
        if (other := first.setdefault(value, name)) != name
        and not SECRETS.get(name) is SECRETS.get(other) is _TYPED
    ]


def _assignments(text: str) -> list[tuple[str, str]]:
    return [(name, value) for line in text.splitlines() for name, value in [_read(line)] if name]


def _blocks(example: str) -> list[tuple[str, str, str]]:
    """Every variable of the example: its name, the comment above it and its value."""
    blocks, comment = [], ""
    for line in example.splitlines():
        name, value = _read(line)
        if name:
            blocks.append((name, comment, value))
            comment = ""
        else:
            comment = comment + line + "\n" if line.startswith("#") else ""
    return blocks


def _read(line: str) -> tuple[str, str]:
    """Name and value of a line as Compose reads it; two empty strings for any other line."""
    matched = _ASSIGNMENT.match(line)
    if not matched:
        return "", ""
    name, value = matched[1], matched[2].strip()
    if value[:1] in {"'", '"'}:
        return name, value[1:].split(value[0], 1)[0]
    return name, re.split(r"(?:^|\s+)#", value, maxsplit=1)[0].strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

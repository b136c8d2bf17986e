"""`python -m deploy.backup create DEST | verify SOURCE | restore SOURCE [--replace]`.

A backup is signed. `verify` and `restore` trust the keys of this deployment; on a new host they
need the public key that `create` printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime

from deploy.backup.creating import create
from deploy.backup.manifest import BackupManifest
from deploy.backup.own_keys import own_key, trust_of
from deploy.backup.restoring import restore
from deploy.backup.sources import embedded_sources, sources_of, target_at
from deploy.backup.trust import OPTION
from deploy.backup.verifying import verify
from pipeline.errors import PlimsollError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        manifest = _done(parsed)
    except (PlimsollError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("broken off; what was written so far is no backup", file=sys.stderr)
        return INTERRUPTED
    say(f"{_summary(manifest)}, {time.monotonic() - began:.1f} s")
    return 0


def say(message: str) -> None:
    """Print a message at once, even through a pipe."""
    print(message, flush=True)


def _done(parsed: argparse.Namespace) -> BackupManifest:
    place = target_at(parsed.place, os.environ)
    if parsed.command == "verify":
        return verify(place, trust_of(parsed.public_key, unsigned=parsed.unsigned))
    found = (
        embedded_sources(os.environ, say)
        if parsed.embedded
        else nullcontext(sources_of(os.environ))
    )
    with found as sources:
        if parsed.command == "create":
            return create(sources, place, now=datetime.now(UTC), say=say, key=own_key())
        trust = trust_of(parsed.public_key, unsigned=parsed.unsigned)
        return restore(sources, place, trust=trust, replace=parsed.replace, say=say)


def _summary(manifest: BackupManifest) -> str:
    return (
        f"backup of {manifest.created_at}: {len(manifest.databases)} databases, "
        f"{len(manifest.tables)} tables, {len(manifest.files)} files, {manifest.size / 1e6:.1f} MB"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str, place: str) -> argparse.ArgumentParser:
        added: Callable[..., argparse.ArgumentParser] = commands.add_parser
        made = added(name, help=text)
        made.add_argument("place", metavar=place, help="a folder or s3://bucket/prefix")
        return made

    creating = command("create", "back up a running deployment", "DEST")
    verifying = command("verify", "read a backup and compare it with its manifest", "SOURCE")
    restoring = command("restore", "put a backup back into a stopped deployment", "SOURCE")
    restoring.add_argument("--replace", action="store_true", help="delete what is there")
    for each in (verifying, restoring):
        each.add_argument(
            OPTION, metavar="KEY", help="ed25519:...: who signed it, instead of this deployment"
        )
        each.add_argument(
            "--unsigned",
            action="store_true",
            help="accept a backup of an earlier release, which nobody signed: only if you know "
            "where it has been since",
        )
    for each in (creating, restoring):
        each.add_argument("--embedded", action="store_true", help="the stack of `make up`")
    return parser


if __name__ == "__main__":
    sys.exit(main())

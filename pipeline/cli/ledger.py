"""`ledger`: the history of live versions, with reasons, and whether it is proven."""

from __future__ import annotations

import argparse
import getpass
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from pipeline import settings
from pipeline.errors import ConfigError, DataError, PlimsollError
from pipeline.printable import one_line
from pipeline.settings import Deployment

if TYPE_CHECKING:
    from pipeline.ledger import Entry
    from pipeline.monitoring.health import LedgerFault
    from pipeline.steps.ledger_state import LedgerState

HELP = "Show and verify what was live when, who decided it, why, and on which data and code."

_STATEMENTS = ("adopt", "restored", "withdraw", "rotate")
_DIGEST = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ledger`."""
    parser.add_argument("detectors", nargs="*", metavar="DETECTOR", help="default: all of them")
    parser.add_argument("--json", action="store_true", help="for machines")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--verify", action="store_true", help="show only whether it holds; 1 if not")
    what.add_argument(
        "--at", metavar="TIME", help="show what was live then; 2014-05-01T03:00Z, UTC"
    )
    what.add_argument("--repair", action="store_true", help="set MLflow's aliases to what it says")
    what.add_argument(
        "--adopt", action="store_true", help="vouch for entries that no trusted key has signed"
    )
    what.add_argument(
        "--restored", action="store_true", help="say that an older ledger came from a backup"
    )
    what.add_argument("--withdraw", action="store_true", help="say that nothing is live any more")
    what.add_argument(
        "--rotate", action="store_true", help="create a new key, and sign with it from now on"
    )
    parser.add_argument(
        "--reason",
        default="",
        help="why; kept in the ledger; --adopt, --restored, --withdraw and --rotate need it",
    )
    parser.add_argument("--author", help="your name; the login name by default")


def run(arguments: argparse.Namespace) -> int:
    """Carry out the request for each detector; 1 if a ledger does not hold."""
    from pipeline.config import detector_files

    here = settings.load()
    settings.refuse_nowhere(here)  # before the libraries, which take seconds

    from pipeline.registry.connection import answering

    # The content of the log events is printed below as text.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    known = [path.stem for path in detector_files(here.detectors)]
    _refuse_unknown_names(here, arguments.detectors, known)
    names = arguments.detectors or known
    with answering(here):
        if any(getattr(arguments, name) for name in _STATEMENTS):
            return _vouched(here, arguments, names, known)
        return max((_shown(arguments, name) for name in names), default=0)


def _vouched(
    here: Deployment, arguments: argparse.Namespace, names: list[str], known: list[str]
) -> int:
    from pipeline.steps import ledger_state, ledger_statements

    who, why = arguments.author or getpass.getuser(), str(arguments.reason).strip()
    if not why:
        msg = "no reason is given; add --reason with one sentence, it is kept in the ledger."
        raise DataError(msg)
    if (arguments.withdraw or arguments.restored) and not arguments.detectors:
        msg = "no detector is named; this applies to one detector at a time, so add its name."
        raise DataError(msg)
    calls = {
        "rotate": ledger_statements.rotated,
        "adopt": ledger_statements.adopt,
        "restored": ledger_statements.restored,
        "withdraw": ledger_statements.withdraw,
    }
    if arguments.rotate:
        every = sorted({*names, *known})  # the keys are those of all detectors
        names = [name for name in names if ledger_state.verified(here, name).entries]
        _create_new_keys(here)
        for name in every:
            ledger_statements.sign_answers_anew(here, name)
    statement = next(call for name, call in calls.items() if getattr(arguments, name))
    alone = len(names) == 1
    return max((_vouch(here, name, statement, who, why, alone=alone) for name in names), default=0)


def _vouch(
    here: Deployment,
    name: str,
    statement: Callable[..., LedgerState],
    who: str,
    why: str,
    *,
    alone: bool,
) -> int:
    """Make the statement and print the entry; a failure does not keep others from being made."""
    from pipeline.steps import ledger_statements

    adopts = statement is ledger_statements.adopt
    answers = ledger_statements.unsigned_answers(here, name) if adopts else []
    try:
        made = statement(here, name, who=who, why=why)
    except PlimsollError as error:
        if alone:
            raise
        print(one_line(f"{name}: {error}"))
        return 2
    done = _entry_line(made.entries[-1]) if made.entries else "no ledger yet"
    signed = f"; signed {', '.join(answers)}" if answers else ""
    print(one_line(f"{name}: {done}{signed}"))
    return 0


def _create_new_keys(here: Deployment) -> None:
    """Create new keys of the ledger and of answers, in the home of this deployment."""
    from pipeline.ledger import keyring, keys

    _refuse_variables()
    keyring.rotate(here.home, "ledger", keys.new_private_key())
    keyring.rotate(here.home, "answers", keys.new_private_key())


def _refuse_unknown_names(here: Deployment, asked: list[str], known: list[str]) -> None:
    """Raise unless each name is that of a detector, or of a former one with tables."""
    from pipeline import staging
    from pipeline.steps.removing import no_such_detector

    without_file = [name for name in asked if name not in known]
    lake = set(staging.names_at(here.storage)) if without_file else set()
    if unknown := [name for name in without_file if name not in lake]:
        raise ConfigError(no_such_detector(here, unknown[0]))


def _refuse_variables() -> None:
    from pipeline.ledger import keyring

    if keyring.is_given_by_environment("ledger"):
        msg = (
            "The keys come from PLIMSOLL_LEDGER_*, so no command here can replace them: "
            "docs/security.md, 'Keys', says how to replace them in .env."
        )
        raise ConfigError(msg)


def _shown(arguments: argparse.Namespace, name: str) -> int:
    from pipeline.cli.ledger_answers import said_of_cases
    from pipeline.registry.connection import connect
    from pipeline.steps import ledger_state
    from pipeline.steps.champion import repaired
    from pipeline.steps.trust import faults_of

    here = settings.load()
    if arguments.repair:
        repaired(here, name)
    held = ledger_state.read(here, name)
    faults = faults_of(here, connect(here), name, open_bundle=True)
    said = said_of_cases(here, name)
    code = int(bool(faults or said.fault))
    if arguments.json:
        content = _as_json(held, [fault.what for fault in faults])
        print(json.dumps(content | said.as_json(), indent=1))
        return code
    lines = list(_verdict(held, faults))
    if arguments.at is not None:
        lines = list(_at(held, arguments.at))
    elif not arguments.verify and not arguments.repair:
        lines += [line for entry in held.entries for line in _entry(entry)]
        lines += said.lines()
    for fault in faults:
        lines += [f"  {fault.what} {fault.fix}".rstrip()]
        lines += [f"  {fault.command}"] if fault.command else []
    print("\n".join(one_line(line) for line in lines))
    return code


def _verdict(held: LedgerState, faults: Sequence[LedgerFault]) -> Iterator[str]:
    live = f"version {held.live.version} is live" if held.live else "nothing is live"
    count = f"{len(held.entries)} entries" if len(held.entries) != 1 else "1 entry"
    if any(fault.in_ledger for fault in faults):
        yield f"{held.detector}: the ledger DOES NOT HOLD, {count}; nothing proves what is live"
        return
    differs = ", but not everything follows it" if faults else ""
    yield f"{held.detector}: the ledger holds{differs}, {count}; {live}"


def _at(held: LedgerState, text: str) -> Iterator[str]:
    from pipeline import ledger
    from pipeline.data.label_request import moment_of

    moment = moment_of("at", text)
    if moment > datetime.now(UTC):
        msg = f"--at {text} lies in the future, and the ledger knows what was live until now."
        raise DataError(msg)
    live = ledger.live_state(held.entries, moment)
    if live is None:
        yield f"{held.detector}: nothing was live at {moment:%Y-%m-%d %H:%M} UTC"
        return
    known = [e for e in held.entries if datetime.fromisoformat(e.decision.decided_at) <= moment]
    mine = [e for e in known if e.decision.version == live.version]
    went_live = [e for e in mine if e.decision.action in ("promotion", "rollback")][-1]
    yield (
        f"{held.detector}: version {live.version} was live at {moment:%Y-%m-%d %H:%M} UTC, "
        f"since {_time(went_live)}"
    )
    yield from _entry(went_live)
    first = mine[0]
    if first is not went_live:
        yield from _entry(first)
    weights = ledger.evidence_of(first.decision).get("weights_of")
    trained = next((e for e in known if e.decision.version == weights), None)
    if trained is not None and trained is not first:
        yield f"  its weights are those of version {weights}:"
        yield from _entry(trained)


def _entry(entry: Entry) -> Iterator[str]:
    from pipeline.cli.ledger_answers import approval_text

    decision = entry.decision
    yield f"  {_entry_line(entry)}"
    yield f"     {decision.who}: {decision.why}"
    if evidence := ", ".join(_evidence(entry)):
        yield f"     {evidence}"
    if decision.approval:
        yield f"     answered by {approval_text(decision.approval)}"
    elif decision.action == "promotion":
        yield "     no person was asked"


def _entry_line(entry: Entry) -> str:
    decision = entry.decision
    preposition = "to" if decision.action == "rollback" else "of"
    about = f" {preposition} version {decision.version}" if decision.version else ""
    key = f"signed by key {entry.signature.key}" if entry.signature.key else "not signed"
    return f"{entry.sequence:>3}  {_time(entry)}  {decision.action}{about}, {key}"


def _evidence(entry: Entry) -> Iterator[str]:
    from pipeline import ledger

    decision = entry.decision
    found = ledger.evidence_of(decision)
    if decision.bundle_sha256:
        yield f"bundle {decision.bundle_sha256[:_DIGEST]}"
    if "trained_on" in found:
        purpose = "threshold on" if "weights_of" in found else "trained on"
        yield f"{purpose} rows of {' to '.join(map(str, found['trained_on']))}"
    for name, label in (
        ("telemetry_version", "telemetry version"),
        ("code", "code"),
        ("lock", "packages"),
        ("threshold", "threshold"),
    ):
        if found.get(name) is not None:
            value = found[name]
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            yield f"{label} {shown[:40] if name == 'code' else shown[:_DIGEST]}"


def _time(entry: Entry) -> str:
    moment = datetime.fromisoformat(entry.decision.decided_at).astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _as_json(held: LedgerState, faults: list[str]) -> dict[str, object]:
    from pipeline import ledger
    from pipeline.records import to_json

    return {
        "detector": held.detector,
        "holds": not faults,
        "faults": faults,
        "live": to_json(held.live) if held.live else None,
        "entries": [ledger.to_row(entry) for entry in held.entries],
    }

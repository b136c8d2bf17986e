"""The version that a rollback asks for, whether it may go live, and rollbacks left unfinished."""

from __future__ import annotations

from pipeline import ledger, staging
from pipeline.config import DetectorSpec
from pipeline.detector.bundle.sums import verify_sums
from pipeline.errors import BundleError, DataError
from pipeline.gate import GateVerdict
from pipeline.records import from_json
from pipeline.registry import promotion, tags, versions
from pipeline.registry.connection import Client
from pipeline.registry.versions import Version
from pipeline.settings import Deployment
from pipeline.steps import ledger_state
from pipeline.steps.candidate import BUNDLE, GATE, candidates_of
from pipeline.steps.ledger_state import LedgerState
from pipeline.steps.live import LoadedVersion, opened, rollback_target
from pipeline.steps.meaning import against_file, needs_message


def wanted_version(
    here: Deployment, client: Client, spec: DetectorSpec, held: LedgerState, target: str
) -> LoadedVersion:
    """The version that `target` names, if it may go live.

    Raises:
        DataError: it does not exist, is live already, cannot serve, or neither was live before nor
            passed its gate.
    """
    live = held.live.version if held.live else None
    number = rollback_target(client, held) if target == promotion.PREVIOUS else _number(target)
    if number is None:
        msg = (
            f"{spec.name} has no previous version behind champion {live}; name a version by "
            "its number, or train a new one."
        )
        raise DataError(msg)
    found = versions.by_number(client, spec.name, number)
    if found is None:
        known = ", ".join(str(version.number) for version in versions.every(client, spec.name))
        msg = f"{spec.name} has no version {number}; there are {known}. Choose one of them."
        raise DataError(msg)
    if number == live:
        msg = f"Version {number} of {spec.name} is live already; choose another one to return to."
        raise DataError(msg)
    usable = _usable(here, found, spec, held)
    was_live = number in {decision.version for decision in held.changes}
    if not was_live and (unproven := _why_no_gate(here, found, held, usable.bundle.digest)):
        msg = (
            f"Version {number} of {spec.name} was never live and did not pass its gate "
            f"({unproven}); choose one that did."
        )
        raise DataError(msg)
    return usable


def unfinished(here: Deployment, client: Client, detector: str) -> tuple[int, ...]:
    """Versions that were rolled back and whose days have not all been scored again."""
    gone = ledger.rolled_back(ledger_state.read(here, detector).entries)
    every = versions.every(client, detector)
    due = (version.number for version in every if tags.is_rescoring_due(version))
    return tuple(number for number in due if number in gone)


def _why_no_gate(here: Deployment, found: Version, held: LedgerState, digest: str) -> str:
    """Why nothing proves that a version passed its gate; empty when it did.

    The proof is the gate's verdict in the lake, where access to MLflow does not suffice to write;
    a tag proves nothing.
    """
    rejected = [e.decision for e in held.entries if e.decision.action == "rejection"]
    if refused := next((made for made in rejected if made.version == found.number), None):
        return refused.why
    if found.tags.get("gate") != "passed":
        return found.tags.get("reason", "not judged")
    name, place = found.tags.get("candidate", ""), candidates_of(here, held.detector)
    if name not in staging.names_at(place):
        return "the verdict of its gate is gone from the lake"
    verdict = from_json(GateVerdict, staging.read_json(f"{place}/{name}/{GATE}/verdict.json"))
    if not verdict.passed:
        return "its verdict in the lake says so"
    with staging.pulled(f"{place}/{name}/{BUNDLE}") as judged:
        return "" if verify_sums(judged) == digest else "its gate judged another bundle"


def _usable(
    here: Deployment, found: Version, spec: DetectorSpec, held: LedgerState
) -> LoadedVersion:
    """A version with its bundle, if it loads and reads rows as the detector file describes them."""
    try:
        version = opened(here, found, held)
        lacks = against_file(version, spec)
    except BundleError as error:
        msg = (
            f"Version {found.number} of {spec.name} cannot serve ({error}); choose another version."
        )
        raise DataError(msg) from error
    if lacks:
        msg = (
            f"Version {found.number} of {spec.name} needs {needs_message(lacks)}; choose a "
            "later version, or give the file back what it said."
        )
        raise DataError(msg)
    return version


def _number(target: str) -> int:
    if not target.isdecimal():
        msg = f"{target!r} is not a version; give a version number, or {promotion.PREVIOUS!r}."
        raise DataError(msg)
    return int(target)


def ledger_record(held: LedgerState, version: Version) -> tuple[str, str]:
    """Run and card hash of a version, by the ledger where it knows them: MLflow's may be edited."""
    about = [entry.decision for entry in held.entries if entry.decision.version == version.number]
    known = next((made for made in about if made.card_sha256), None)
    if known is None:
        return version.run_id, ledger.card_hash(version.description)
    return known.run_id, known.card_sha256

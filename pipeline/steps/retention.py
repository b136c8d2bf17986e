"""The versions that housekeeping must keep, and why. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.errors import DataError
from pipeline.ledger import Decision
from pipeline.registry import tags
from pipeline.registry.versions import Version


@dataclass(frozen=True)
class VersionUses:
    """The uses of versions.

    Attributes:
        aliases: version by alias.
        decisions: the ledger's, oldest first, without the rejections.
        scored: versions that scored, or shadowed, a day of the audit window.
        weights: version -> the version whose network it has, for each that the tables know.
        since: where the audit window begins, UTC.
        newest: number of newest versions that are kept in any case.
    """

    aliases: Mapping[str, int]
    decisions: Sequence[Decision]
    scored: Collection[int]
    weights: Mapping[int, int]
    since: datetime
    newest: int


def reasons_to_keep(versions: Sequence[Version], evidence: VersionUses) -> dict[int, str]:
    """Version number -> why it is kept; a version that is absent may be deleted.

    A version that has the network of another needs that other, however old.
    """
    kept: dict[int, str] = {}
    for version in sorted(versions, key=lambda each: -each.number)[: evidence.newest]:
        kept[version.number] = f"one of the newest {evidence.newest}"
    for version in versions:
        if tags.is_rescoring_due(version):
            kept[version.number] = "a change of champion is not finished"
    kept |= dict.fromkeys(evidence.scored, "scored a day of the audit window")
    kept |= _lived_through(evidence.decisions, evidence.since)
    kept |= {number: f"is {alias}" for alias, number in evidence.aliases.items()}
    networks = {each.number: tags.weights_of(each) for each in versions} | dict(evidence.weights)
    for number in sorted(kept, reverse=True):
        heir = number
        while (network := networks.get(heir, heir)) != heir and network not in kept:
            kept[network] = f"version {number} has its network"
            heir = network
    present = {version.number for version in versions}
    return {number: reason for number, reason in sorted(kept.items()) if number in present}


def needed_telemetry(versions: Sequence[Version]) -> set[int]:
    """Versions of `telemetry` that registered versions were trained on.

    Raises:
        DataError: a trained version does not say.
    """
    needed = set()
    for version in versions:
        value = version.tags.get("telemetry_version", "")
        if value.isdigit():
            needed.add(int(value))
        elif tags.weights_of(version) == version.number:
            msg = (
                f"Version {version.number} does not say which version of telemetry it was trained "
                "on, so none can be deleted. Set its tag telemetry_version (the bundle's "
                "detector.json has it), or delete the version."
            )
            raise DataError(msg)
    return needed


def _lived_through(decisions: Sequence[Decision], since: datetime) -> dict[int, str]:
    """Versions that were live at some moment of the audit window, by the ledger."""
    found: dict[int, str] = {}
    for decision in decisions:
        if datetime.fromisoformat(decision.decided_at) >= since:
            numbers = [decision.version, decision.replaced]
            reason = "the ledger has it live in the audit window"
            found |= {number: reason for number in numbers if number is not None}
    return found

"""The gate's checks by name, in the order that a reviewer reads them.

A new check is a function (in `absolute` or `relative`) and an entry here; the contract suite, the
card and the metrics pick it up.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import Gate
from pipeline.gate import absolute, relative
from pipeline.gate.facts import CandidateFacts, ChampionFacts, CheckResult

Check = Callable[[CandidateFacts, ChampionFacts | None, Gate], CheckResult]

CHECKS: dict[str, Check] = {
    "enough_calibration_rows": absolute.enough_calibration_rows,
    "realised_rate": absolute.realised_rate,
    "not_overpowered": absolute.not_overpowered,
    "explained_variance": absolute.explained_variance,
    "reconstruction_vs_champion": relative.reconstruction_vs_champion,
    "rank_agreement": relative.rank_agreement,
    "alert_budget": relative.alert_budget,
    "confirmed_incidents": relative.confirmed_incidents,
    "injected_faults": absolute.injected_faults,
    "fault_size_vs_champion": relative.fault_size_vs_champion,
    "drift_allows": absolute.drift_allows,
    "bundle_size": absolute.bundle_size,
    "latency": absolute.latency,
}

"""A study: trials of settings in one local file, which can be continued.

Optuna's TPE proposes; a trial whose network passes more noise than the gate allows counts as not
allowed. The proposals depend only on the seed and the trials in the file, so a study that was
interrupted continues as if it had not been. Source: Bergstra et al., NeurIPS 2011.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from optuna.trial import Trial as OptunaTrial

from pipeline.errors import ConfigError, PlimsollError
from pipeline.tuning.spaces import Suggests, Value
from pipeline.tuning.trying import Tried

PRESENT_SEEDS = 3
_NAME = "plimsoll"
_IN_A_ROW = 20  # repeated proposals, after which the space counts as exhausted
_SIGMAS = 2.0
_NOISE = "noise passthrough"

Try = Callable[[Mapping[str, Value], int], Tried]
"""(settings to change, offset of the seed) -> the result."""


@dataclass(frozen=True)
class TrialRow:
    """One trial in the table.

    Attributes:
        number: number of the trial in the study.
        settings: the settings that were changed.
        caught: share of injected faults caught; None where the trial failed.
        noise_passthrough: as the gate measures it; None without.
        allowed: whether the gate would let it pass.
        seconds: duration.
        reason: why it failed; empty otherwise.
    """

    number: int
    settings: dict[str, Value]
    caught: float | None
    noise_passthrough: float | None
    allowed: bool
    seconds: float
    reason: str


@dataclass(frozen=True)
class Search:
    """The parts of a search.

    Attributes:
        suggest: proposes settings.
        attempt: tries them.
        limit: largest noise passthrough, as in the gate.
        seed: seed of the proposals.
        meaning: identity of the study; the file of another study is refused.
    """

    suggest: Callable[[Suggests], dict[str, Value]]
    attempt: Try
    limit: float
    seed: int
    meaning: Mapping[str, str]


def open_study(path: Path, meaning: Mapping[str, str]) -> Study:
    """The study in `path`, new or as it was left.

    Raises:
        ConfigError: the file belongs to another study, or to none.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _refuse_foreign(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path))),
        study_name=_NAME,
        direction="maximize",
        load_if_exists=True,
    )
    for key, value in meaning.items():
        held = study.user_attrs.get(key)
        if held is None:
            study.set_user_attr(key, value)
        elif held != value:
            msg = (
                f"{path}: is a study of another {key} ({held}, now {value}), whose trials cannot "
                "be compared with new ones; give a new file to --study"
            )
            raise ConfigError(msg)
    return study


def search(study: Study, how: Search, *, seconds: float, report: Callable[[str], None]) -> None:
    """Try the present settings, then others, until `seconds` have passed.

    The last trial is completed. Ctrl-C also ends the search, and discards the trial that it
    interrupts.
    """
    ends = monotonic() + seconds
    for _ in range(len(study.user_attrs.get("present", [])), PRESENT_SEEDS):
        if monotonic() >= ends:
            return
        _try_present(study, how, report)
    repeats = 0
    while monotonic() < ends and repeats < _IN_A_ROW:
        repeats = 0 if _try_another(study, how, report) else repeats + 1
    if repeats:
        report("Every proposal has been tried before: the search space holds no more.")


def trial_rows(study: Study) -> tuple[TrialRow, ...]:
    """All trials but repeated proposals, best first; those not allowed and failed last."""
    held = [_row(trial) for trial in study.trials if "seconds" in trial.user_attrs]
    return tuple(sorted(held, key=lambda row: (not row.allowed, -(row.caught or 0.0))))


def present(study: Study) -> tuple[float, ...]:
    """Shares that the present settings caught, with one seed each."""
    return tuple(study.user_attrs.get("present", []))


def noise_of(shares: tuple[float, ...]) -> float | None:
    """The gain that another seed could give: 2 standard errors of a difference; None: unknown."""
    if len(shares) < PRESENT_SEEDS:
        return None
    return _SIGMAS * float(np.std(shares, ddof=1)) * math.sqrt(1 + 1 / len(shares))


def _refuse_foreign(path: Path) -> None:
    """Refuse a file that no study has written: Optuna would append to any file."""
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline() or "{}")
        ours = first == {} or "op_code" in first
    except (ValueError, TypeError):
        ours = False
    if not ours:
        msg = f"{path}: is no study; give a new file to --study"
        raise ConfigError(msg)


def _try_present(study: Study, how: Search, report: Callable[[str], None]) -> None:
    held = present(study)
    tried = how.attempt({}, len(held))
    study.set_user_attr("present", [*held, tried.caught])
    study.set_user_attr("present_passthrough", tried.noise_passthrough)
    report(
        f"present settings, seed {len(held) + 1}: {tried.caught:.1%} caught, {tried.seconds:.1f} s"
    )


def _try_another(study: Study, how: Search, report: Callable[[str], None]) -> bool:
    """Try one proposal; false if it was a repeated one."""
    # A new sampler for each trial: a study that is continued later proposes what it would have
    # proposed without a break, and never repeats its random numbers.
    study.sampler = TPESampler(seed=_mixed(how, study))
    trial = study.ask()
    settings = how.suggest(trial)
    known = [t.params for t in study.trials if "seconds" in t.user_attrs]
    if settings in known:
        study.tell(trial, state=TrialState.FAIL)
        return False
    try:
        tried = how.attempt(settings, 0)
    except PlimsollError as error:
        trial.set_user_attr("reason", str(error))
        trial.set_user_attr("seconds", 0.0)
        study.tell(trial, state=TrialState.FAIL)
        report(f"try {trial.number}: failed ({error})")
        return True
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        raise
    _note(trial, tried, how.limit)
    study.tell(trial, tried.caught)
    report(f"try {trial.number}: {tried.caught:.1%} caught, {tried.seconds:.1f} s")
    return True


def _mixed(how: Search, study: Study) -> int:
    words = np.random.SeedSequence([how.seed, len(study.trials)]).generate_state(1)
    return int(words[0])


def _note(trial: OptunaTrial, tried: Tried, limit: float) -> None:
    passed = tried.noise_passthrough
    trial.set_constraint(_NOISE, -1.0 if passed is None else passed - limit)
    trial.set_user_attr("allowed", passed is None or passed <= limit)
    trial.set_user_attr("noise_passthrough", passed)
    trial.set_user_attr("seconds", tried.seconds)


def _row(trial: FrozenTrial) -> TrialRow:
    attributes = trial.user_attrs
    return TrialRow(
        number=trial.number,
        settings=dict(trial.params),
        caught=trial.value if trial.value is not None else None,
        noise_passthrough=attributes.get("noise_passthrough"),
        allowed=bool(attributes.get("allowed", False)),
        seconds=float(attributes["seconds"]),
        reason=str(attributes.get("reason", "")),
    )

"""A study: tries of settings in one local file, continued where it was left.

Optuna's TPE proposes; a try whose network passes more noise than the gate allows counts as not
allowed. What is proposed depends on the seed and the tries in the file alone, so a study that was
interrupted goes on as it would have gone. Source: Bergstra et al., NeurIPS 2011.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError, PlimsollError
from pipeline.tuning.spaces import Suggests, Value
from pipeline.tuning.trying import Tried

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as OptunaTrial

PRESENT_SEEDS = 3
_NAME = "plimsoll"
_IN_A_ROW = 20  # proposals that were tried before: the space holds no others
_SIGMAS = 2.0
_NOISE = "noise passthrough"

Try = Callable[[Mapping[str, Value], int], Tried]
"""(settings to change, how many seeds further) -> what they did."""


@dataclass(frozen=True)
class TrialRow:
    """One try of the table.

    Attributes:
        number: in the study.
        settings: what was changed.
        caught: share of planted faults caught; None where the try failed.
        noise_passthrough: as the gate measures it; None without.
        allowed: whether the gate would let it pass.
        seconds: what it took.
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
    """What a study needs to go on.

    Attributes:
        suggest: proposes settings.
        attempt: tries them.
        limit: noise that may pass, as the gate has it.
        seed: of the proposals.
        meaning: what the study is of; another one's file is refused.
    """

    suggest: Callable[[Suggests], dict[str, Value]]
    attempt: Try
    limit: float
    seed: int
    meaning: Mapping[str, str]


def open_study(path: Path, meaning: Mapping[str, str]) -> Study:
    """The study in `path`, new or as it was left.

    Raises:
        ConfigError: the file is of another study, or of no study.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

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
                f"{path}: is a study of another {key} ({held}, now {value}), whose tries cannot be "
                "compared with new ones; give a new file to --study"
            )
            raise ConfigError(msg)
    return study


def search(study: Study, how: Search, *, seconds: float, tell: Callable[[str], None]) -> None:
    """Try the present settings, then others, until `seconds` have passed; the last try is finished.

    Ctrl-C ends it likewise; the try that it interrupts is forgotten.
    """
    ends = monotonic() + seconds
    for _ in range(len(study.user_attrs.get("present", [])), PRESENT_SEEDS):
        if monotonic() >= ends:
            return
        _try_present(study, how, tell)
    repeats = 0
    while monotonic() < ends and repeats < _IN_A_ROW:
        repeats = 0 if _try_another(study, how, tell) else repeats + 1
    if repeats:
        tell("Every proposal has been tried before: the search space holds no more.")


def trial_rows(study: Study) -> tuple[TrialRow, ...]:
    """All tries but the repeated proposals, best first, those not allowed and failed last."""
    held = [_line(trial) for trial in study.trials if "seconds" in trial.user_attrs]
    return tuple(sorted(held, key=lambda line: (not line.allowed, -(line.caught or 0.0))))


def present(study: Study) -> tuple[float, ...]:
    """Shares that the present settings caught, with one seed each."""
    return tuple(study.user_attrs.get("present", []))


def noise_of(shares: tuple[float, ...]) -> float | None:
    """What a gain must exceed to be more than another seed: 2 standard errors of a difference."""
    if len(shares) < PRESENT_SEEDS:
        return None
    return _SIGMAS * float(np.std(shares, ddof=1)) * math.sqrt(1 + 1 / len(shares))


def _refuse_foreign(path: Path) -> None:
    """Let pass what is new or was written by a study: Optuna would append to any file."""
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


def _try_present(study: Study, how: Search, tell: Callable[[str], None]) -> None:
    held = present(study)
    tried = how.attempt({}, len(held))
    study.set_user_attr("present", [*held, tried.caught])
    study.set_user_attr("present_passthrough", tried.noise_passthrough)
    tell(
        f"present settings, seed {len(held) + 1}: {tried.caught:.1%} caught, {tried.seconds:.1f} s"
    )


def _try_another(study: Study, how: Search, tell: Callable[[str], None]) -> bool:
    """Whether the proposal was a new one."""
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    # A sampler of its own for each try: a study that goes on later proposes what it would have
    # proposed at once, and never starts its random numbers again.
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
        tell(f"try {trial.number}: failed ({error})")
        return True
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        raise
    _note(trial, tried, how.limit)
    study.tell(trial, tried.caught)
    tell(f"try {trial.number}: {tried.caught:.1%} caught, {tried.seconds:.1f} s")
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


def _line(trial: FrozenTrial) -> TrialRow:
    told = trial.user_attrs
    return TrialRow(
        number=trial.number,
        settings=dict(trial.params),
        caught=trial.value if trial.value is not None else None,
        noise_passthrough=told.get("noise_passthrough"),
        allowed=bool(told.get("allowed", False)),
        seconds=float(told["seconds"]),
        reason=str(told.get("reason", "")),
    )

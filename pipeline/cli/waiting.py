"""Candidates that `run train` or `run recalibrate` has judged, and that wait for a person's answer.

There is a file for each, named after its version, so a later candidate never takes the place of one
whose card somebody has read. They lie under `PLIMSOLL_HOME`, not in the lake, where every worker
writes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.errors import DataError
from pipeline.private_file import write_private
from pipeline.records import Payload, from_json, to_json
from pipeline.settings import Deployment
from pipeline.shell import this_shell
from pipeline.steps.candidate import JudgedCandidate


@dataclass(frozen=True)
class Question:
    """A judged candidate whose promotion a person has to approve.

    Attributes:
        judged: what its gate returned.
        run: the run that judged it, for the ledger.
        asked_at: when it was judged: its time limit counts from there.
    """

    judged: JudgedCandidate
    run: str
    asked_at: datetime

    @property
    def payload(self) -> Payload[JudgedCandidate]:
        """What its gate returned, as a task hands it on."""
        return to_json(self.judged)

    @property
    def version(self) -> int:
        """The version that it is about."""
        return self.judged.version


def keep(here: Deployment, question: Question) -> None:
    """Let `question` wait; an earlier one about the same version, which is the same bundle, goes.

    Only its owner can read it.
    """
    path = _file(here, question.judged.candidate.detector, question.version)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, json.dumps(to_json(question)))


def waiting(here: Deployment, detector: str) -> list[Question]:
    """Every question about `detector` that waits here, by version."""
    found = [
        from_json(Question, json.loads(path.read_text(encoding="utf-8")))
        for path in _folder(here, detector).glob("*.json")
    ]
    return sorted(found, key=lambda question: question.version)


def question_about(here: Deployment, detector: str, version: int) -> Question:
    """The question about `version`.

    Raises:
        DataError: it does not wait here; the message says what does.
    """
    found = waiting(here, detector)
    for question in found:
        if question.version == version:
            return question
    held = ", ".join(f"version {question.version}" for question in found) or "no version"
    msg = (
        f"Version {version} of {detector} does not wait for an answer in "
        f"{_folder(here, detector)}; there waits {held}. What a DAG has judged is answered in "
        "Airflow, under Required Actions."
    )
    raise DataError(msg)


def settle(here: Deployment, question: Question) -> None:
    """Forget `question`, which was answered."""
    _file(here, question.judged.candidate.detector, question.version).unlink()


def command(here: Deployment, detector: str, version: int, answer: str) -> str:
    """The command that answers; `answer` is `--approve` or `--reject`."""
    words = ("run", "promote", detector, "--version", str(version), answer)
    return this_shell(here).plimsoll(*words)


def _folder(here: Deployment, detector: str) -> Path:
    return here.home / "waiting" / detector


def _file(here: Deployment, detector: str, version: int) -> Path:
    return _folder(here, detector) / f"{version}.json"

"""A person's answer about a candidate, proven from the question to the promotion.

Tasks hand each other values through Airflow, and Airflow lets any task of a deployment write the
values of every other. So the question is bound to what was judged, and the answer is signed where
it is received, by a process that holds the key of answers; `promote` believes nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline import ledger
from pipeline.errors import UnprovenAnswer
from pipeline.ledger import answers, keyring
from pipeline.records import Payload
from pipeline.settings import Deployment
from pipeline.steps.candidate import JudgedCandidate

APPROVE, REJECT = "Approve", "Reject"
NOBODY = "The time limit"


@dataclass(frozen=True)
class Answer:
    """What a person answered about a candidate.

    Attributes:
        who: the person; `NOBODY` where the time limit answered.
        answer: `APPROVE` or `REJECT`.
        comment: what the person wrote; may be empty.
        text: all of it with its signature, JSON, for the ledger.
    """

    who: str
    answer: str
    comment: str
    text: str

    @property
    def is_approval(self) -> bool:
        """Whether the candidate may go live."""
        return self.answer == APPROVE


def question(judged: Payload[JudgedCandidate], *, run: str) -> dict[str, str]:
    """What is asked about: the very candidate that `judged`, the gate's result, describes.

    `run` is the DAG run, so that an answer of one run proves nothing in another.
    """
    return {
        "detector": str(judged["candidate"]["detector"]),
        "version": str(judged["version"]),
        "bundle_sha256": str(judged["bundle_sha256"]),
        "card_sha256": ledger.card_hash(str(judged["card"])),
        "run": run,
    }


def signed(
    here: Deployment, asked: Mapping[str, str], *, who: str, answer: str, comment: str, at: str
) -> str:
    """The answer to a question, signed, as JSON.

    Raises:
        ConfigError: this process does not hold the private key of answers.
    """
    content = {**asked, "who": who or NOBODY, "answer": answer, "comment": comment, "at": at}
    return answers.as_text(content, keyring.signer(here, "answers"))


def proven(here: Deployment, text: str, asked: Mapping[str, str]) -> Answer:
    """The answer in `text`, if it is signed and answers this question.

    Raises:
        UnprovenAnswer: nobody is known to have given it, or it answers another question.
    """
    if not answers.text_holds(text, keyring.trusted(here, "answers")):
        msg = (
            f"The answer about version {asked['version']} of {asked['detector']} is not signed by "
            "a key of answers that is trusted here. Nothing was promoted; clear the task "
            "`approve`, so that it is asked again."
        )
        raise UnprovenAnswer(msg)
    content = json.loads(text)
    for name, value in asked.items():
        if content.get(name) != value:
            msg = (
                f"The answer of {content.get('who')} is about another candidate than version "
                f"{asked['version']} of {asked['detector']}: its {name} is "
                f"{str(content.get(name))[:80]!r}, and the gate's is {value[:80]!r}. Nothing was "
                "promoted; clear the task `approve`, so that it is asked again."
            )
            raise UnprovenAnswer(msg)
    return Answer(content["who"], content["answer"], content["comment"], text)

"""The question to a person about a candidate, and the answer, signed where it is received."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import TaskAwaitingInput

from dags.context import this_run
from dags.defaults import SIGNING_QUEUE
from pipeline.config import DetectorSpec


class Approval(HITLOperator):
    """Shows the promotion card; returns the signed answer of the person.

    It runs where the key of answers is, before the question and after the answer. What was asked
    waits with the task itself, which no other task can change, and not in an XCom, which any can.
    """

    template_fields = ("subject",)

    def __init__(self, *, gate: str, **question: Any) -> None:
        """`gate` is the id of the task whose candidate it is about."""
        super().__init__(**question)
        self._gate = gate

    def execute(self, context: Any) -> None:
        """Ask about what the gate has judged."""
        from pipeline.steps import approval

        judged = context["ti"].xcom_pull(task_ids=self._gate)
        self.body = judged["card"]
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            raise TaskAwaitingInput(
                method_name=waiting.method_name,
                kwargs={"asked": approval.question(judged, run=this_run())},
                timeout=waiting.timeout,
            ) from None

    def execute_complete(
        self, context: Any, event: dict[str, Any], asked: dict[str, str] | None = None
    ) -> str:
        """Sign the answer; a question that nobody answers is answered by its time limit."""
        from pipeline import settings
        from pipeline.steps import approval

        answer = super().execute_complete(context, event)
        person = answer["responded_by_user"] or {}
        return approval.signed(
            settings.load(),
            asked or {},
            who=str(person.get("name") or ""),
            answer=", ".join(answer["chosen_options"]),
            comment=str((answer["params_input"] or {}).get("comment") or ""),
            at=str(answer["responded_at"] or ""),
        )


def approval_of(spec: DetectorSpec, *, gate: str) -> Approval:
    """The task `approve` of a detector, about the candidate of the task `gate`."""
    return Approval(
        task_id="approve",
        gate=gate,
        queue=SIGNING_QUEUE,
        subject=f"Promote a new {spec.name}?",
        options=["Approve", "Reject"],
        defaults=["Reject"],
        response_timeout=timedelta(hours=spec.promotion.approval_hours),
        params={"comment": Param("", type="string", description="Goes into the ledger.")},
    )

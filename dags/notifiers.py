"""The notifiers: an Airflow notifier for each channel, which sends the message of an incident.

Subject and text are printable (see `operation.notifying`); a channel's markup characters are
escaped here.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog
from airflow.sdk import BaseNotifier

from dags import slack_text
from pipeline.config import Notify

if TYPE_CHECKING:
    from pipeline.monitoring.notice import Notice
    from pipeline.records import Payload

Message: TypeAlias = "Payload[Notice]"

log = structlog.get_logger()


class LogNotifier(BaseNotifier):
    """Writes the message to the task's log: the default, which needs no connection."""

    def __init__(self, *, subject: str, text: str) -> None:
        super().__init__()
        self.subject = subject
        self.text = text

    def notify(self, context: Any) -> None:  # noqa: ARG002 - the interface of a notifier
        """Log the message as a warning, the subject as the event."""
        log.warning(self.subject, text=self.text)


def notifier_for(settings: Notify, message: Message) -> BaseNotifier:
    """The notifier of `message` for the channel that the detector file names."""
    return _CHANNELS[settings.channel](settings, message)


def _log(_: Notify, message: Message) -> BaseNotifier:
    return LogNotifier(subject=message["subject"], text=message["text"])


def _smtp(settings: Notify, message: Message) -> BaseNotifier:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    notifier: BaseNotifier = SmtpNotifier(
        to=list(settings.to),
        subject=message["subject"],
        html_content=f"<pre>{escape(message['text'])}</pre>",
        smtp_conn_id=settings.connection,
    )
    return notifier


def _slack(settings: Notify, message: Message) -> BaseNotifier:
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

    notifier: BaseNotifier = SlackWebhookNotifier(
        slack_webhook_conn_id=str(settings.connection),
        text=f"*{slack_text.escaped(message['subject'])}*\n{slack_text.escaped(message['text'])}",
        unfurl_links=False,
        unfurl_media=False,
    )
    return notifier


def _webhook(settings: Notify, message: Message) -> BaseNotifier:
    from airflow.providers.http.notifications.http import HttpNotifier

    notifier: BaseNotifier = HttpNotifier(http_conn_id=str(settings.connection), json=message)
    return notifier


_CHANNELS: dict[str, Callable[[Notify, Message], BaseNotifier]] = {
    "log": _log,
    "smtp": _smtp,
    "slack": _slack,
    "webhook": _webhook,
}

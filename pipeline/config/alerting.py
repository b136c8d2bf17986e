"""Sections `incidents` and `notify`: when flags become one incident, and who is notified."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Days, Duration, Section
from pipeline.config.shown import shown


class Incidents(Section):
    """Rules by which flags of one entity form incidents."""

    join: Duration = Field(
        timedelta(hours=1),
        gt=timedelta(0),
        description="Flags at most this far apart are one incident: one fault, one message.",
    )
    minimum_rows: int = Field(
        1, ge=1, description="Episodes with fewer flags open no incident; their flags stay."
    )


class Notify(Section):
    """The receiver of the one message of an incident. Credentials are in an Airflow connection."""

    channel: Literal["log", "smtp", "slack", "webhook"] = "log"
    connection: str | None = Field(
        None, description="Airflow connection id; every channel but `log` needs one."
    )
    to: tuple[str, ...] = Field((), description="Mail addresses, for `smtp`.")
    horizon_days: Days = Field(
        3,
        ge=0,
        description="No message about a day older than this when it is scored: it is history.",
    )

    @model_validator(mode="after")
    def _channel_must_be_reachable(self) -> Self:
        if self.channel != "log" and not self.connection:
            msg = f"channel {self.channel!r} needs `connection`, the id of an Airflow connection"
            raise ValueError(msg)
        if self.channel == "smtp" and not self.to:
            msg = "channel 'smtp' needs `to`, a list of mail addresses"
            raise ValueError(msg)
        for address in self.to:
            if not address or not address.isprintable() or " " in address:
                msg = f"to holds {shown(address)}, which is no mail address; write name@example.org"
                raise ValueError(msg)
        return self

"""Alerts: what is wrong with the data itself, so that no model may be trained on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.base import Event, Finite, Reason, Topic, Version, Window
from contracts.performance import Contribution


class AlertRaised(Event):
    """The data of a model is not what it was: somebody should look at its source.

    Produced by monitor. Consumed by training, client.
    """

    detector: Literal["quality", "labels", "intake"] = Field(
        description="Missing, unseen, late; labels that do not arrive; quarantined events."
    )
    version: Version | None = Field(description="Whose baseline says so.")
    window: Window = Field(description="The window that gave the alarm.")
    since: AwareDatetime = Field(description="Change point: start of the evidence.")
    evidence: Finite = Field(description="D of the e-detector.")
    level: Finite = Field(description="The alarm level it crossed: N of this detector.")
    promise: int = Field(
        ge=1, description="N of the model: at most one false alarm in so many windows."
    )
    contributions: tuple[Contribution, ...] = Field(max_length=1000)
    blamed: tuple[str, ...] = Field(max_length=64, description="Fields to look at.")
    windows: int = Field(ge=1, description="How many windows the evidence is from.")
    summary: Reason


class AlertResolved(Event):
    """What an alert was raised for is within its tolerance again.

    Produced by monitor. Consumed by training, client.
    """

    alert: str = Field(max_length=36, description="Id of the alert that was raised.")
    detector: Literal["quality", "labels", "intake"]
    window: Window = Field(description="The first window without it.")
    summary: Reason


ALERT_RAISED = Topic(
    "alert.raised.v1",
    AlertRaised,
    producer="monitor",
    consumers=("training", "client"),
    retention=timedelta(days=400),
)
ALERT_RESOLVED = Topic(
    "alert.resolved.v1",
    AlertResolved,
    producer="monitor",
    consumers=("training", "client"),
    retention=timedelta(days=400),
)

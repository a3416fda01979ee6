"""What every message and every topic has in common."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "driftwheel")

ModelName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal.")]
Reason = Annotated[str, Field(max_length=2000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Strict(BaseModel):
    """What users send: exact types, no unknown field, no NaN or infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Value(BaseModel):
    """A part of our own messages: built strictly, read tolerantly: new fields break no reader."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Event(Value):
    """A fact about one model, on a topic of the control plane."""

    event_id: str = Field(
        max_length=36, description="uuid5 of the cause: a replay yields the same id."
    )
    cause: str = Field(
        max_length=300, description="Id of the event or command that led to this one."
    )
    model: ModelName
    at: AwareDatetime = Field(description="Event time: the model's watermark when it became true.")

    @classmethod
    def caused_by(cls, cause: Event | str, *, distinct: str = "", **fields: Any) -> Self:
        """Build the event that follows from `cause`; the same cause gives the same id.

        Args:
            cause: the event, or the id of what led here.
            distinct: tells several events of one type and one cause apart.
            fields: the remaining fields of the message.

        """
        origin = cause if isinstance(cause, str) else cause.event_id
        name = f"{cls.__name__}:{origin}:{distinct}"
        return cls(event_id=str(uuid.uuid5(NAMESPACE, name)), cause=origin, **fields)


class Window(Value):
    """A tumbling window of event time, `start` inclusive, `end` exclusive."""

    start: AwareDatetime
    end: AwareDatetime


E = TypeVar("E", bound=Event)

# What records must outlast, on top of the time for which they are of use.
OUTAGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Topic(Generic[E]):
    """The card of a control-plane topic: one type, one producer, keyed by model.

    Attributes:
        name: without the deployment's prefix.
        message: the one type it carries.
        producer: the one service that writes it; "user" for what people and programs command.
        consumers: the services that read it; "client" stands for the command line and programs.
        cleanup: "compact" keeps the last record of each model.
        retention: None keeps for ever.

    """

    name: str
    message: type[E]
    producer: str
    consumers: tuple[str, ...]
    cleanup: Literal["delete", "compact"] = "delete"
    retention: timedelta | None = timedelta(days=30)
    partitions: int = 1


@dataclass(frozen=True, slots=True)
class DataTopic:
    """The card of a data-plane topic, of which each model has its own, keyed by entity.

    Attributes:
        kind: what it carries, as in `data.<model>.<kind>.v1`.
        payload: names the type generated from the declaration (`contracts.data.payload_type`).

    """

    kind: str
    payload: Literal["event", "label", "prediction", "outcome", "bytes"]
    producer: str
    consumers: tuple[str, ...]
    retention: timedelta = timedelta(days=30)

    def kept(self, waits: timedelta) -> timedelta:
        """Tell how long records are kept where predictions wait so long for their labels."""
        return max(self.retention, 2 * waits + 7 * OUTAGE)

    def name(self, model: str) -> str:
        """Name the topic of one model, without the deployment's prefix."""
        return f"data.{model}.{self.kind}.v1"

"""What comes in and what goes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from aiokafka import ConsumerRecord
from aiokafka.structs import TopicPartition

from contracts import Event

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]
Position: TypeAlias = TopicPartition
Fault = Literal["poison", "bug", "crash", "unpublishable"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one model and one kind of data topic, in log order within each partition.

    `record.timestamp` is the broker's append time in milliseconds; event time is in the payload.
    """

    model: str
    kind: str
    records: Sequence[Record]

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Message:
    """One record to publish.

    Attributes:
        topic: the real name, prefix included.
        cause: the record it follows from; its trace goes on in the message.

    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    cause: Record | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """A record for the dead letters, and why."""

    record: Record
    fault: Fault
    reason: str


@dataclass(slots=True)
class Told:
    """What a batch leads to. Published and acknowledged before the batch is committed.

    Attributes:
        messages: for the data plane.
        events: for the control plane; topic and key follow from the type.
        parked: records of this batch for the dead letters.
        held: (topic, partition) -> next offset to read again, for partitions that must wait or
            go back. Later records of these partitions count as not read.
        after: an effect that may only happen once all of the above is acknowledged.

    """

    messages: list[Message] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    held: dict[Position, int] = field(default_factory=dict)
    after: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """Append what another part of the batch leads to."""
        self.messages += other.messages
        self.events += other.events
        self.parked += other.parked
        self.held |= other.held
        self.after += other.after


Handler = Callable[..., Awaitable["Sequence[Event] | Told"]]
BatchHandler = Callable[..., Awaitable[Told]]


def headers_of(record: Record) -> dict[str, str]:
    """Read a record's headers as text; null values read as empty, bad UTF-8 is replaced."""
    return {key: (value or b"").decode("utf-8", "replace") for key, value in record.headers}


def position_of(record: Record) -> Position:
    """Name the partition of a record."""
    return TopicPartition(record.topic, record.partition)

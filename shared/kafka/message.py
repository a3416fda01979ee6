"""What comes in and what goes out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from aiokafka import ConsumerRecord
from aiokafka.structs import TopicPartition

from contracts import Event
from shared.kafka.headers import Header, Headers

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]
Position: TypeAlias = TopicPartition
Fault = Literal["poison", "bug", "crash", "unpublishable"]


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one partition, in log order."""

    position: Position
    records: Sequence[Record]

    @property
    def end(self) -> int:
        """Offset after the last record."""
        return self.records[-1].offset + 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one model and one kind of data topic, one run per partition.

    `record.timestamp` is the broker's append time in milliseconds; event time is in the payload.
    """

    model: str
    kind: str
    runs: Sequence[Run]

    @property
    def records(self) -> list[Record]:
        """All records, run by run."""
        return [record for run in self.runs for record in run.records]

    def starts(self) -> dict[Position, int]:
        """Where each partition would be read again, to be held: its first offset here."""
        return {run.position: run.records[0].offset for run in self.runs}

    def __len__(self) -> int:
        return sum(len(run.records) for run in self.runs)


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
    headers: tuple[Header, ...] = ()
    cause: Record | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Many records for one topic, as columns of equal length: what hot paths tell.

    Attributes:
        topic: the real name, prefix included.
        partition: where all of them go; None places each by its key, as a `Message` is.
        keys: of the records.
        values: of the records.
        headers: of the records.
        causes: the record that each follows from; its trace goes on in the message.

    """

    topic: str
    partition: int | None
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Headers
    causes: Sequence[Record | None]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, end: int, partition: int | None) -> Block:
        """Cut out the rows from `start` to before `end`."""
        return Block(
            self.topic,
            partition,
            self.keys[start:end],
            self.values[start:end],
            self.headers.part(start, end),
            self.causes[start:end],
        )

    def rows(self, index: Sequence[int], partition: int | None) -> Block:
        """Choose rows, in the order of `index`."""
        return Block(
            self.topic,
            partition,
            [self.keys[row] for row in index],
            [self.values[row] for row in index],
            self.headers.rows(index),
            [self.causes[row] for row in index],
        )

    def without(self, cause: Record) -> Block:
        """Leave out what follows from one record."""
        left = [row for row, record in enumerate(self.causes) if record is not cause]
        return self.rows(left, self.partition)


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
        messages: for the data plane, what is rare.
        blocks: for the data plane, what is many; published after the messages.
        events: for the control plane; topic and key follow from the type.
        parked: records of this batch for the dead letters.
        held: (topic, partition) -> next offset to read again, for partitions that must wait or
            go back. Later records of these partitions count as not read.
        after: an effect that may only happen once all of the above is acknowledged.

    """

    messages: list[Message] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    held: dict[Position, int] = field(default_factory=dict)
    after: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """Append what another part of the batch leads to."""
        self.messages += other.messages
        self.blocks += other.blocks
        self.events += other.events
        self.parked += other.parked
        self.held |= other.held
        self.after += other.after


Handler = Callable[..., Awaitable["Sequence[Event] | Told"]]
BatchHandler = Callable[..., Awaitable[Told]]


def runs_of(records: Sequence[Record]) -> list[Run]:
    """Part what one poll has brought by partition; each partition's records stand together."""
    runs, start = list[Run](), 0
    while start < len(records):
        first = records[start]
        where = (first.partition, first.topic)
        end = bisect_left(records, True, start, key=lambda r: (r.partition, r.topic) != where)
        runs.append(Run(TopicPartition(first.topic, first.partition), records[start:end]))
        start = end
    return runs


def headers_of(record: Record) -> dict[str, str]:
    """Read a record's headers as text; null values read as empty, bad UTF-8 is replaced."""
    return {key: (value or b"").decode("utf-8", "replace") for key, value in record.headers}

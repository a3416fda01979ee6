"""In-memory doubles for unit and service tests; integration tests use the real ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import TopicPartition

from contracts import Event, Topic
from shared.kafka import Block, Consumer, Message, Names, Record, Table
from shared.kafka.message import runs_of
from shared.telemetry import Telemetry

START_MS = 1_700_000_000_000


def record(
    topic: str,
    value: bytes | None,
    *,
    key: bytes | None = None,
    partition: int = 0,
    offset: int = 0,
    headers: Sequence[tuple[str, bytes]] = (),
    timestamp: int = START_MS,
) -> Record:
    """Make a consumed record."""
    return ConsumerRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=1,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key or b""),
        serialized_value_size=len(value or b""),
        headers=tuple(headers),
    )


class MemoryKafka:
    """A log per partition, and the consumers and tables that read it; no time passes by itself.

    `now_ms` is the append time of the next record; a test moves it.
    """

    def __init__(self, names: Names | None = None, partitions: int = 1) -> None:
        self.names = names or Names("test.")
        self.partitions = partitions
        self.logs: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.now_ms = START_MS
        self.failures: list[Exception] = []
        self._consumers: list[tuple[Consumer, dict[TopicPartition, int]]] = []
        self._tables: list[tuple[Table[Any], dict[TopicPartition, int]]] = []
        self._partition_of = DefaultPartitioner()

    async def publish(self, messages: Sequence[Message], blocks: Sequence[Block] = ()) -> None:
        """Append; raises what stands in `failures` first, one per call."""
        if self.failures:
            raise self.failures.pop(0)
        for message in messages:
            self.append(message.topic, message.value, key=message.key, headers=message.headers)
        for block in blocks:
            for row, (key, value) in enumerate(zip(block.keys, block.values, strict=True)):
                where = {"key": key, "headers": block.headers[row], "partition": block.partition}
                self.append(block.topic, value, **where)

    def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> None:
        """Append one record, as any Kafka client would."""
        every = list(range(self.partitions)) if ".data." in topic else [0]
        if partition is None:
            # The real partitioner draws lots for records without a key.
            partition = self._partition_of(key or b"", every, every)
        log = self.logs[TopicPartition(topic, partition)]
        log.append(
            record(
                topic,
                value,
                key=key,
                partition=partition,
                offset=len(log),
                headers=headers,
                timestamp=self.now_ms,
            )
        )

    def tell(self, topic: Topic[Any], event: Event) -> None:
        """Append an event of the control plane."""
        name = self.names.topic(topic)
        self.append(name, event.model_dump_json().encode(), key=event.model.encode())

    def attach(self, *parts: object) -> None:
        """Let consumers and tables among the parts read from here."""
        for part in parts:
            if isinstance(part, Consumer):
                self._consumers.append((part, defaultdict(int)))
            elif isinstance(part, Table):
                self._tables.append((part, defaultdict(int)))

    async def settle(self) -> None:
        """Deliver until nobody has anything left to read, or only what is held."""
        moved = True
        while moved:
            moved = False
            for table, positions in self._tables:
                self._feed(table, positions)
            for consumer, positions in self._consumers:
                moved |= await self._deliver(consumer, positions)

    async def redeliver(self, consumer: Consumer) -> None:
        """Forget all commits of a consumer and deliver everything again."""
        for known, positions in self._consumers:
            if known is consumer:
                positions.clear()
        await self.settle()

    def values(self, topic: str) -> list[bytes]:
        """All values of a topic, partition by partition."""
        return [r.value or b"" for r in self.records(topic)]

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, partition by partition."""
        return [
            r
            for position in sorted(self.logs)
            if position.topic == topic
            for r in self.logs[position]
        ]

    def events(self, topic: Topic[Any]) -> list[Any]:
        """All events of a control-plane topic."""
        values = self.values(self.names.topic(topic))
        return [topic.message.model_validate_json(value) for value in values]

    def _feed(self, table: Table[Any], positions: dict[TopicPartition, int]) -> None:
        for position in [p for p in self.logs if p.topic == table.name]:
            for item in self.logs[position][positions[position] :]:
                table.take(item)
            positions[position] = len(self.logs[position])

    async def _deliver(self, consumer: Consumer, positions: dict[TopicPartition, int]) -> bool:
        unread = [
            item
            for position in sorted(self.logs)
            if any(route.fullmatch(position.topic) for route, _ in consumer.routes)
            for item in self.logs[position][positions.get(position, 0) :][: consumer.max_records]
        ]
        if not unread:
            return False
        before = dict(positions)
        async for ends, _ in consumer.process(runs_of(unread)):
            positions.update(ends)
        return any(end != before.get(position, 0) for position, end in positions.items())


def telemetry(service: str = "test") -> Telemetry:
    """Make the instruments of a service under test."""
    return Telemetry(service)

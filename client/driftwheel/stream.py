"""Reading topics without a consumer group: nobody else's position is touched."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.structs import TopicPartition

from driftwheel.endpoints import Endpoints
from driftwheel.writer import connect, partitions_of

T = TypeVar("T")
Raw: TypeAlias = ConsumerRecord[bytes | None, bytes | None]
Start = Literal["beginning", "end"] | int


class Stream(Generic[T]):
    """The records of some topics, in log order within each partition.

    Iterate over it directly where it is read to its end. Enter it first where the loop is left
    early, or where the moment counts: from then on nothing is missed.

    >>> async with client.predictions("flight-delay") as predictions:
    ...     await client.publish("flight-delay", events)
    ...     async for prediction in predictions: ...

    Args:
        endpoints: where Kafka is.
        topics: real names.
        decode: turns a record into what is iterated over.
        start: from the beginning, from the end, or from a broker time in milliseconds.
        follow: go on for ever; otherwise end with what was there at the start.
        optional: a topic that does not exist is empty rather than an error.

    """

    def __init__(
        self,
        endpoints: Endpoints,
        topics: Sequence[str],
        decode: Callable[[Raw], T],
        *,
        start: Start = "end",
        follow: bool = True,
        optional: bool = False,
    ) -> None:
        self.endpoints, self.topics, self.decode = endpoints, topics, decode
        self.start, self.follow, self.optional = start, follow, optional
        self._consumer: AIOKafkaConsumer | None = None
        self._ends: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        """Connect and fix the positions to read from.

        Raises:
            NotFound: a topic does not exist.
            Unreachable: Kafka does not answer.

        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.endpoints.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        await connect(consumer, self.endpoints)
        self._consumer = consumer
        try:
            await self._position(consumer)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def __aiter__(self) -> AsyncIterator[T]:
        """Iterate, connected for as long as that takes."""
        async with contextlib.AsyncExitStack() as life:
            if self._consumer is None:
                await life.enter_async_context(self)
            while batch := await self.batch():
                for item in batch:
                    yield item

    async def batch(self) -> list[T]:
        """Wait for the next records; empty when the stream has ended or was left."""
        while self._consumer is not None and (self.follow or await self._unread()):
            if items := await self._read():
                return items
        return []

    async def past(self) -> list[T]:
        """Return what was there when the stream was entered."""
        items: list[T] = []
        while await self._unread():
            items += await self._read()
        return items

    async def _read(self) -> list[T]:
        assert self._consumer is not None
        batches = await self._consumer.getmany(timeout_ms=200)
        return [self.decode(record) for records in batches.values() for record in records]

    async def _unread(self) -> bool:
        assert self._consumer is not None
        for position, end in self._ends.items():
            if await self._consumer.position(position) < end:
                return True
        return False

    async def _position(self, consumer: AIOKafkaConsumer) -> None:
        cluster = await consumer._client.fetch_all_metadata()
        positions = [
            TopicPartition(topic, partition)
            for topic in self.topics
            for partition in self._partitions(cluster, topic)
        ]
        if not positions:
            return
        consumer.assign(positions)
        self._ends = await consumer.end_offsets(positions)
        for position, offset in (await self._begins(consumer, positions)).items():
            consumer.seek(position, offset)

    def _partitions(self, cluster: Any, topic: str) -> list[int]:
        if self.optional and not cluster.partitions_for_topic(topic):
            return []
        return partitions_of(cluster, topic, self.endpoints)

    async def _begins(
        self, consumer: AIOKafkaConsumer, positions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        if self.start == "end":
            return self._ends
        if self.start == "beginning":
            return dict(await consumer.beginning_offsets(list(positions)))
        found = await consumer.offsets_for_times(dict.fromkeys(positions, self.start))
        return {
            position: at.offset if (at := found.get(position)) else self._ends[position]
            for position in positions
        }

"""The idempotent producer: whole batches per partition, acknowledged before it returns."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.errors import Transient
from shared.kafka.message import Message

MAX_BATCH = 1_000_000
DEADLINE_S = 30.0
PARTITION_OF = DefaultPartitioner()


class Unpublishable(ValueError):
    """A message is larger than Kafka accepts."""

    def __init__(self, message: Message) -> None:
        size = len(message.value or b"")
        super().__init__(f"{size:,} bytes for {message.topic} are more than Kafka accepts")
        self.message = message


class Publisher(Protocol):
    """Whoever takes messages and returns once they are safe."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish all, in order per key.

        Raises:
            Transient: not acknowledged; publish the same messages again.
            Unpublishable: one of them can never be published.

        """
        ...


class Producer:
    """Publishes to Kafka with acks=all, idempotence and zstd."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect."""
        async with self._starting:
            if self._producer is not None:
                return
            producer = AIOKafkaProducer(
                bootstrap_servers=self.kafka,
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                max_batch_size=MAX_BATCH,
                metadata_max_age_ms=30_000,
            )
            await producer.start()
            self._producer = producer

    async def stop(self) -> None:
        """Disconnect; what is not acknowledged by then was never promised."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), 5)
            except TimeoutError as error:
                raise Transient("Kafka did not answer while the producer stopped") from error

    def unready(self) -> str | None:
        """Say why nothing can be published now; None when it can."""
        return None if self._producer is not None else "not connected to Kafka"

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish all, one batch per partition, and wait for every acknowledgement."""
        if not messages:
            return
        try:
            await asyncio.wait_for(self._send(messages), DEADLINE_S)
        except Unpublishable:
            # The refused batch leaves a hole in the sequence numbers.
            await self._abandon()
            raise
        except (OutOfOrderSequenceNumber, ProducerFenced, TimeoutError) as error:
            # This producer may never recover; a new one, and the same ids again, always does.
            await self._abandon()
            raise Transient(f"Kafka has not acknowledged: {error!r}") from error
        except KafkaError as error:
            raise Transient(f"Kafka has not acknowledged: {error!r}") from error

    async def _send(self, messages: Sequence[Message]) -> None:
        await self.start()
        producer = self._producer
        assert producer is not None
        by_partition: dict[tuple[str, int], list[Message]] = defaultdict(list)
        for message in messages:
            partitions = sorted(await producer.partitions_for(message.topic))
            partition = PARTITION_OF(message.key, partitions, partitions)
            by_partition[message.topic, partition].append(message)
        parts = [
            (where, part, await producer.send_batch(batch, where[0], partition=where[1]))
            for where, group in by_partition.items()
            for part, batch in _batches(producer, group)
        ]
        for (topic, partition), part, ack in parts:
            try:
                await ack
            except MessageSizeTooLargeError as error:
                await self._one_by_one(producer, topic, partition, part, error)

    async def _one_by_one(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        messages: Sequence[Message],
        error: Exception,
    ) -> None:
        """Find the message that is too large among those of a refused batch."""
        if len(messages) == 1:
            raise Unpublishable(messages[0]) from error
        for message in messages:
            ((_, batch),) = _batches(producer, [message])
            try:
                await (await producer.send_batch(batch, topic, partition=partition))
            except MessageSizeTooLargeError as again:
                raise Unpublishable(message) from again

    async def _abandon(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            asyncio.get_running_loop().create_task(_quietly(producer))


def _batches(
    producer: AIOKafkaProducer, group: Sequence[Message]
) -> Iterator[tuple[list[Message], BatchBuilder]]:
    """Fill batches in order; each comes with what is in it."""
    batch, part = producer.create_batch(), list[Message]()
    for message in group:
        item = {"key": message.key, "value": message.value, "headers": list(message.headers)}
        # append() answers None for a full batch; not to look would lose the rest.
        if batch.append(timestamp=None, **item) is None:
            yield part, batch
            batch, part = producer.create_batch(), []
            if batch.append(timestamp=None, **item) is None:
                raise Unpublishable(message)
        part.append(message)
    yield part, batch


async def _quietly(producer: AIOKafkaProducer) -> None:
    """Close a producer that is given up; it may hang for ever, and nobody waits for it."""
    await asyncio.wait({asyncio.ensure_future(producer.stop())}, timeout=60)

"""The idempotent producer: whole batches per partition, acknowledged before it returns."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)

from shared.errors import Transient
from shared.kafka.headers import Headers
from shared.kafka.message import Block, Message
from shared.kafka.partitions import partitions_of
from shared.kafka.recordbatch import batches
from shared.telemetry import Telemetry

DEADLINE_S, STOP_S = 30.0, 5.0


class Unpublishable(ValueError):
    """A message is larger than Kafka accepts."""

    def __init__(self, message: Message) -> None:
        size = len(message.value or b"")
        super().__init__(f"{size:,} bytes for {message.topic} are more than Kafka accepts")
        self.message = message


class Publisher(Protocol):
    """Whoever takes messages and returns once they are safe."""

    async def publish(self, messages: Sequence[Message], blocks: Sequence[Block] = ()) -> None:
        """Publish all, in order per key.

        Raises:
            Transient: not acknowledged; publish the same messages again.
            Unpublishable: one of them can never be published.

        """
        ...


class Producer:
    """Publishes to Kafka with acks=all, idempotence and zstd.

    What is not acknowledged in time, or was fenced, or is out of sequence, may be in the log or
    not: the client that sent it is discarded, and whoever publishes the same ids again gets a new
    one. That cures a partition that had no leader for long and also, after some turns, a broker
    that has lost its disk and hands out producer ids that are in use.

    Args:
        kafka: bootstrap address.
        telemetry: counts the clients that were discarded.
        deadline_s: seconds until what is published must be acknowledged.

    """

    def __init__(
        self, kafka: str, telemetry: Telemetry | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        self.kafka, self.telemetry, self.deadline_s = kafka, telemetry, deadline_s
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._discarding: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect."""
        async with self._starting:
            if self._producer is not None:
                return
            producer = AIOKafkaProducer(
                bootstrap_servers=self.kafka,
                acks="all",
                enable_idempotence=True,
                metadata_max_age_ms=30_000,
            )
            try:
                await producer.start()
            except BaseException:
                self._discard(producer)
                raise
            self._producer = producer

    async def stop(self) -> None:
        """Disconnect; what is not acknowledged by then was never promised."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(STOP_S):
                    await producer.stop()
            except TimeoutError as error:
                self._discard(producer)
                raise Transient("Kafka did not answer while the producer stopped") from error

    def unready(self) -> str | None:
        """Say why nothing can be published now; None when it can."""
        return None if self._producer is not None else "not connected to Kafka"

    async def publish(self, messages: Sequence[Message], blocks: Sequence[Block] = ()) -> None:
        """Publish all, one batch per partition, and wait for every acknowledgement."""
        if not messages and not blocks:
            return
        try:
            async with asyncio.timeout(self.deadline_s):
                await self._send(messages, blocks)
        except Unpublishable:
            # The refused batch leaves a hole in the sequence numbers.
            self._rebuild("unpublishable")
            raise
        except (OutOfOrderSequenceNumber, ProducerFenced, TimeoutError) as error:
            self._rebuild(type(error).__name__)
            raise Transient(f"Kafka has not acknowledged: {error!r}") from error
        except KafkaError as error:
            raise Transient(f"Kafka has not acknowledged: {error!r}") from error

    async def _send(self, messages: Sequence[Message], blocks: Sequence[Block]) -> None:
        await self.start()
        producer = self._producer
        assert producer is not None
        placed = [
            part
            for block in (*_blocks(messages), *blocks)
            for part in _placed(block, await producer.partitions_for(block.topic))
        ]
        sent = []
        try:
            for block in placed:
                for part, batch in batches(block):
                    where = {"topic": part.topic, "partition": part.partition}
                    sent.append((part, await producer.send_batch(batch, **where)))
            if sent:
                await asyncio.wait([ack for _, ack in sent])
        finally:
            # What is given up must not keep its client from being closed.
            for _, ack in sent:
                ack.cancel()
        refusals = [(part, error) for part, ack in sent if (error := ack.exception())]
        for part, error in refusals:
            if not isinstance(error, MessageSizeTooLargeError):
                raise error
            await self._one_by_one(producer, part, error)

    async def _one_by_one(self, producer: AIOKafkaProducer, block: Block, error: Exception) -> None:
        """Find the record that is too large among those of a refused batch."""
        if len(block) == 1:
            raise Unpublishable(_message(block, 0)) from error
        for row in range(len(block)):
            ((one, batch),) = batches(block.rows([row], block.partition))
            try:
                await (await producer.send_batch(batch, one.topic, partition=one.partition))
            except MessageSizeTooLargeError as again:
                raise Unpublishable(_message(one, 0)) from again

    def _rebuild(self, why: str) -> None:
        """Give up the client; the next call makes a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            if self.telemetry is not None:
                self.telemetry.count("producer_rebuilds", why)
            self._discard(producer)

    def _discard(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.get_running_loop().create_task(_closed(producer))
        self._discarding.add(task)
        task.add_done_callback(self._discarding.discard)


def _blocks(messages: Sequence[Message]) -> list[Block]:
    """Gather messages by topic."""
    by_topic: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        by_topic[message.topic].append(message)
    return [
        Block(
            topic,
            None,
            [message.key for message in group],
            [message.value for message in group],
            Headers.each([message.headers for message in group]),
            [message.cause for message in group],
        )
        for topic, group in by_topic.items()
    ]


def _placed(block: Block, partitions: set[int]) -> list[Block]:
    """Part a block by the partitions of its topic.

    Raises:
        Transient: its partition does not exist.

    """
    if block.partition is None:
        places = partitions_of(block.keys, sorted(partitions))
        if len(found := set(places)) == 1:
            return [replace(block, partition=partition) for partition in found]
        rows: dict[int, list[int]] = defaultdict(list)
        for row, partition in enumerate(places):
            rows[partition].append(row)
        return [block.rows(index, partition) for partition, index in rows.items()]
    if block.partition not in partitions:
        raise Transient(
            f"{block.topic} has no partition {block.partition}: give all data topics of a model "
            "the same number of partitions"
        )
    return [block]


def _message(block: Block, row: int) -> Message:
    columns = block.keys[row], block.values[row], tuple(block.headers[row]), block.causes[row]
    return Message(block.topic, *columns)


async def _closed(producer: AIOKafkaProducer) -> None:
    """Close a client without sending what is left: others have sent it, or will."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(STOP_S):
            # Without a connection nothing in flight keeps it from stopping.
            await asyncio.gather(producer.stop(), producer.client.close())

"""A load that is offered whatever comes back: send evenly, listen, take the times."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.benchmarks.rows import Row

LINGER_MS = 2
TICK_S = 0.002
READY_S = 90.0
SETTLING_S = 3.0
GRACE_S = 30.0


@dataclass
class Clock:
    """When each key was sent and how long its answer took; one answer is awaited per key."""

    sent: dict[bytes, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    counting: bool = False

    def heard(self, key: bytes) -> None:
        """Note an answer."""
        began = self.sent.pop(key, None)
        if began is None:
            return
        self.answered.set()
        if self.counting:
            self.seconds.append(time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Load:
    """Somebody who sends.

    Attributes:
        stream: topics and rows, without end.
        timed: the topic whose rows are answered.

    """

    producer: AIOKafkaProducer
    stream: Iterator[tuple[str, Row]]
    timed: str
    clock: Clock

    async def send(self) -> None:
        """Send up to one timed row."""
        while True:
            topic, (key, value, headers) = next(self.stream)
            if topic == self.timed:
                self.clock.sent[key] = time.perf_counter()
            await self.producer.send(topic, value, key, headers=headers)
            if topic == self.timed:
                return

    async def keep_up(self, rate: float, seconds: float) -> None:
        """Send so many timed rows per second, evenly."""
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            for _ in range(int(passed * rate) - sent):
                await self.send()
                sent += 1
            await asyncio.sleep(TICK_S)


async def offered(
    kafka: str,
    stream: Iterator[tuple[str, Row]],
    timed: str,
    says: str,
    rate: float,
    seconds: float,
) -> Sequence[float]:
    """Offer a load, once it is answered at all.

    Args:
        kafka: bootstrap address.
        stream: topics and rows, without end.
        timed: the topic whose rows count and are answered.
        says: the topic of the answers, under the same keys.
        rate: timed rows per second.
        seconds: that are measured.

    Returns:
        Seconds from sent to received, of each timed row.

    """
    clock = Clock()
    async with _connected(kafka, says) as (producer, consumer), asyncio.TaskGroup() as group:
        listening = group.create_task(_listen(consumer, clock))
        load = Load(producer, stream, timed, clock)
        await load.send()
        await asyncio.wait_for(clock.answered.wait(), READY_S)
        # What the benchmark itself holds must not be looked through in between.
        gc.collect()
        gc.freeze()
        await load.keep_up(rate, SETTLING_S)
        clock.counting = True
        await load.keep_up(rate, seconds)
        async with asyncio.timeout(GRACE_S):
            while clock.sent:
                await asyncio.sleep(TICK_S)
        listening.cancel()
    gc.unfreeze()
    return clock.seconds


async def _listen(consumer: AIOKafkaConsumer, clock: Clock) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            for record in records:
                clock.heard(record.key or b"")


@asynccontextmanager
async def _connected(
    kafka: str, says: str
) -> AsyncIterator[tuple[AIOKafkaProducer, AIOKafkaConsumer]]:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=LINGER_MS
    )
    consumer = AIOKafkaConsumer(says, bootstrap_servers=kafka, auto_offset_reset="latest")
    async with producer, consumer:
        await consumer.seek_to_end()
        yield producer, consumer

"""A storm: several models, two copies of the monitor, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from redis.asyncio import Redis

from contracts.data import LABELS_VALIDATED, OUTCOMES, PREDICTIONS
from contracts.performance import WINDOW_COUNTED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from deploy.local.process import wait_until_ready
from deploy.local.stack import Infrastructure
from services.monitor.app import COUNT, JOIN, TOPICS
from shared.errors import Transient
from shared.kafka import Message, Names, Position, Producer
from shared.kafka.message import headers_of
from shared.kafka.names import DEAD_LETTERS, control_topics, data_topics, ensure
from tests.service.monitor.world import declared, released
from tests.storm.copies import Copies
from tests.storm.faults import Fault
from tests.storm.oracle import Truth, truth_of
from tests.storm.said import Label, Prediction, Said, declaration
from tests.storm.seen import Seen, Verdict, differing, judged

PARTITIONS = 3
DEADLINE_S = 90
CHUNK_H = 2.0
RETRY_S = 0.3


@dataclass(slots=True)
class Storm:
    """One storm on a Kafka and a Redis that may be killed.

    Attributes:
        real: Kafka and Redis.
        names: of its topics.
        streams: of its models.
        copies: of the monitor.
        rhythm_s: wall seconds between two chunks of event time.
        seen: of each model.
        truths: of each model.
        faults: what was done to Kafka and Redis.

    """

    real: Infrastructure
    names: Names
    streams: Sequence[Said]
    copies: Copies
    producer: Producer
    rhythm_s: float
    seen: dict[str, Seen] = field(default_factory=dict)
    truths: dict[str, Truth] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    async def send(self) -> None:
        """Send the streams in their rhythm, and what lets everything mature."""
        chunks = [list(told.chunks(CHUNK_H)) for told in self.streams]
        for number in range(max(map(len, chunks))):
            for told, own in zip(self.streams, chunks, strict=True):
                if number < len(own):
                    await self.publish(told, *own[number])
            await asyncio.sleep(self.rhythm_s)
        for told in self.streams:
            await self.publish(told, [], told.ends())

    async def publish(
        self, told: Said, labels: Sequence[Label], predictions: Sequence[Prediction]
    ) -> None:
        """Publish labels, then predictions: no watermark overtakes a label that was sent before."""
        for topic, values in (
            (LABELS_VALIDATED, [(one.id, one.written()) for one in labels]),
            (PREDICTIONS, [(one.id, one.written(told.model)) for one in predictions]),
        ):
            name = self.names.data(topic, told.model)
            messages = [Message(name, event_id.encode(), value) for event_id, value in values]
            await _acknowledged(self.producer, messages)

    async def until_complete(self, seconds: float = DEADLINE_S) -> Verdict:
        """Wait until nothing is missing any more; answers what is wrong then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.verdict().faults:
                    await asyncio.sleep(0.2)
        return self.verdict()

    def verdict(self) -> Verdict:
        """Judge what has been read so far."""
        verdicts = [judged(self.seen[model], truth) for model, truth in self.truths.items()]
        return reduce(Verdict.plus, verdicts)

    def differing(self) -> list[str]:
        """Describe the cells of windows that differ, of all models."""
        return [
            f"{model} {cell}"
            for model, truth in self.truths.items()
            for cell in differing(self.seen[model], truth)
        ]

    async def replay(self, *, flushed: bool) -> None:
        """Have the groups read both topics again, into the living state or into an empty one."""
        reached = await self._committed(JOIN)
        self.copies.stopped()
        if flushed:
            async with Redis.from_url(self.real.redis.url) as redis:
                await redis.flushall()
        for group in (JOIN, COUNT) if flushed else (JOIN,):
            await self._rewind(group)
        self.copies.away.clear()
        async with asyncio.timeout(DEADLINE_S):
            while not _as_far(await self._committed(JOIN), reached):
                await asyncio.sleep(0.2)

    async def _committed(self, group: str) -> dict[Position, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.real.kafka.address)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.names.group(group))
        finally:
            await admin.close()
        return {position: one.offset for position, one in found.items()}

    async def _rewind(self, group: str) -> None:
        places = dict.fromkeys(await self._committed(group), 0)
        member = AIOKafkaConsumer(
            bootstrap_servers=self.real.kafka.address,
            group_id=self.names.group(group),
            enable_auto_commit=False,
        )
        await member.start()
        try:
            member.assign(list(places))
            # The members that were killed are members until their sessions end.
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    with contextlib.suppress(KafkaError):
                        return await member.commit(places)
                    await asyncio.sleep(0.2)
        finally:
            await member.stop()

    async def observe(self) -> None:
        """Read whatever the monitor publishes, for ever."""
        windows = self.names.topic(WINDOW_COUNTED)
        outcomes = {self.names.data(OUTCOMES, told.model): told.model for told in self.streams}
        dead = {
            self.names.data(topic, told.model) + DEAD_LETTERS: told.model
            for told in self.streams
            for topic in (PREDICTIONS, LABELS_VALIDATED)
        }
        consumer = AIOKafkaConsumer(
            *(windows, *outcomes, *dead),
            bootstrap_servers=self.real.kafka.address,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            async for record in consumer:
                if record.topic in outcomes:
                    seen = self.seen[outcomes[record.topic]]
                    seen.outcome(headers_of(record)["ce_id"], record.value or b"")
                elif record.topic in dead:
                    self.seen[dead[record.topic]].parked += 1
                else:
                    self.seen[(record.key or b"").decode()].window(record.value or b"")
        finally:
            await consumer.stop()

    async def suffer(self, faults: Sequence[Fault]) -> None:
        """Let faults happen, one after another."""
        for fault in faults:
            await asyncio.sleep(fault.after_s)
            self.faults.append(fault)
            await getattr(self, fault.name)(*fault.arguments)

    async def without_redis(self, seconds: float) -> None:
        """SIGKILL Redis and start it again after a while."""
        await asyncio.to_thread(self.real.redis.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.real.redis.restart)

    async def with_a_torn_redis(self, lost: int) -> None:
        """SIGKILL Redis and cut off the end of its log, as a machine that fails does."""
        redis = self.real.redis
        await asyncio.to_thread(redis.kill)
        (log,) = redis.folder.rglob("appendonly*.aof")
        with log.open("ab") as file:
            file.truncate(max(0, log.stat().st_size - lost))
        await asyncio.to_thread(redis.restart)

    async def without_kafka(self, seconds: float) -> None:
        """SIGKILL Kafka and start it again after a while."""
        await asyncio.to_thread(self.real.kafka.kill)
        await asyncio.sleep(seconds)
        self.real.kafka.start()
        await asyncio.to_thread(wait_until_ready, (self.real.kafka,))

    async def flushed(self) -> None:
        """Empty Redis."""
        async with Redis.from_url(self.real.redis.url) as redis:
            await redis.flushall()

    async def without_a_copy(self, seconds: float) -> None:
        """SIGKILL a copy and keep it away for so long that the other takes over."""
        await self.copies.leave(seconds)

    async def killing(self, every_s: float) -> None:
        """SIGKILL copies from outside, for ever."""
        while True:
            await asyncio.sleep(self.copies.lots.uniform(0.5, 1.5) * every_s)
            self.copies.kill_one()


async def through(one: Storm, faults: Sequence[Fault], *, kill_every_s: float) -> Verdict:
    """Go through a storm: send everything while copies die and faults happen; then settle.

    Args:
        one: the storm.
        faults: what happens while the streams are sent.
        kill_every_s: mean wall seconds between two SIGKILLs from outside.

    """
    one.copies.dying = True
    killing = asyncio.create_task(one.killing(kill_every_s))
    async with asyncio.TaskGroup() as group:
        group.create_task(one.send())
        group.create_task(one.suffer(faults))
    killing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await killing
    one.copies.renewed()
    return await one.until_complete()


@contextlib.asynccontextmanager
async def storm(
    real: Infrastructure, names: Names, folder: Path, streams: Sequence[Said], *, rhythm_s: float
) -> AsyncIterator[Storm]:
    """Declare the models, start the copies and an observer, for the body."""
    kafka = real.kafka.address
    await ensure(kafka, control_topics(names, TOPICS, 1))
    producer = Producer(kafka)
    await producer.start()
    environment = {
        "DRIFTWHEEL_KAFKA": kafka,
        "DRIFTWHEEL_REDIS": real.redis.url,
        "DRIFTWHEEL_PREFIX": names.prefix,
        "DRIFTWHEEL_LABEL_PATIENCE_S": "1",
    }
    one = Storm(real, names, streams, Copies(environment, folder, seed=1), producer, rhythm_s)
    try:
        for told in streams:
            await ensure(kafka, data_topics(names, told.model, PARTITIONS, 1))
            await _declare(one, told)
            one.seen[told.model], one.truths[told.model] = Seen(), truth_of(told)
        observing = asyncio.create_task(one.observe())
        async with one.copies.kept_alive():
            yield one
        observing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await observing
    finally:
        await producer.stop()


async def _declare(one: Storm, told: Said) -> None:
    for topic, event in (
        (MODEL_DECLARED, declared(declaration(told))),
        (RELEASE_CHANGED, released("0.1.0", model=told.model)),
    ):
        value = event.model_dump_json().encode()
        await _acknowledged(
            one.producer, [Message(one.names.topic(topic), told.model.encode(), value)]
        )


async def _acknowledged(producer: Producer, messages: Sequence[Message]) -> None:
    """Publish, as often as it takes; what is sent again is a copy."""
    while True:
        try:
            return await producer.publish(messages)
        except Transient:
            await asyncio.sleep(RETRY_S)


def _as_far(now: dict[Position, int], before: dict[Position, int]) -> bool:
    return all(now.get(position, 0) >= offset for position, offset in before.items())

"""A deployment of one model on real Kafka: topics, control events, input; gone afterwards."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient

from contracts import TOPICS, DataTopic
from contracts.registry import (
    MODEL_DECLARED,
    RELEASE_CHANGED,
    ModelDeclared,
    Plan,
    ReleaseChanged,
    VersionRef,
)
from shared.kafka import Message, Names, Producer
from shared.kafka.names import control_topics, data_topics, ensure
from tests.benchmarks.material import MODEL, START, declaration
from tests.benchmarks.rows import PARTITIONS, Row, Rows

BATCH = 1000


@dataclass(frozen=True)
class World:
    """One deployment.

    Attributes:
        prefix: of its topics and groups; nobody else has it.

    """

    kafka: str
    prefix: str = field(default_factory=lambda: f"b{uuid.uuid4().hex[:8]}.")

    @property
    def names(self) -> Names:
        """Real names under the prefix."""
        return Names(self.prefix)

    def topic(self, topic: DataTopic) -> str:
        """Name a data topic of the model."""
        return self.names.data(topic, MODEL)

    async def release(
        self, version: str, artifact: str | None, baseline: str | None = None
    ) -> None:
        """Publish what the registry would: the declaration, and the one plan of the traffic."""
        of = declaration()
        about: dict[str, Any] = {"model": MODEL, "at": START, "revision": 1}
        stable = VersionRef(
            version=version,
            algorithm="lightgbm" if artifact else "prior",
            artifact=artifact,
            trained_at=None,
            loss=0.5,
            loss_sd=0.5,
            baseline=baseline,
        )
        declared = ModelDeclared.caused_by("benchmark", digest=of.digest(), declaration=of, **about)
        released = ReleaseChanged.caused_by(
            "benchmark",
            plan=Plan(plan_id=str(uuid.uuid4()), stable=stable),
            lead_ms=0,
            reason="benchmark",
            **about,
        )
        topics = (self.names.topic(topic) for topic in (MODEL_DECLARED, RELEASE_CHANGED))
        producer = Producer(self.kafka)
        await producer.start()
        for topic, event in zip(topics, (declared, released), strict=True):
            value = event.model_dump_json().encode()
            await producer.publish([Message(topic, MODEL.encode(), value)])
        await producer.stop()

    async def load(self, *inputs: Rows) -> None:
        """Publish rows in batches of a thousand, all partitions and topics in step."""
        async with _producer(self.kafka) as producer:
            steps: dict[float, list[tuple[str, int, list[Row]]]] = defaultdict(list)
            for rows in inputs:
                for partition, own in enumerate(rows.partitions):
                    for start in range(0, len(own), BATCH):
                        part = own[start : start + BATCH]
                        steps[start / len(own)].append((self.topic(rows.topic), partition, part))
            for step in sorted(steps):
                acks = [await _sent(producer, *batch) for batch in steps[step]]
                for ack in acks:
                    await ack

    async def records(self, topic: DataTopic) -> list[ConsumerRecord[bytes, bytes]]:
        """Read a data topic from its beginning to its present end."""
        consumer = AIOKafkaConsumer(
            self.topic(topic), bootstrap_servers=self.kafka, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            found: list[ConsumerRecord[bytes, bytes]] = []
            ends = await consumer.end_offsets(consumer.assignment())
            while any([await consumer.position(at) < end for at, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()


@contextmanager
def world(kafka: str) -> Iterator[World]:
    """Create a deployment's topics for the body, and delete them."""
    made = World(kafka)
    specs = [
        *control_topics(made.names, TOPICS, replicas=1),
        *data_topics(made.names, MODEL, PARTITIONS, replicas=1, waits=timedelta(hours=6)),
    ]
    asyncio.run(ensure(kafka, specs))
    try:
        yield made
    finally:
        asyncio.run(_deleted(kafka, [spec.name for spec in specs]))


async def _deleted(kafka: str, topics: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics(topics)
    finally:
        await admin.close()


@asynccontextmanager
async def _producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=1_000_000,
        max_request_size=4_000_000,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _sent(producer: AIOKafkaProducer, topic: str, partition: int, rows: Sequence[Row]) -> Any:
    batch = producer.create_batch()
    for key, value, headers in rows:
        appended = batch.append(timestamp=None, key=key, value=value, headers=headers)
        assert appended is not None, "a batch of a thousand rows has to hold them all"
    return await producer.send_batch(batch, topic, partition=partition)

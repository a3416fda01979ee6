"""The ceiling: a plain aiokafka loop that publishes every record as it came."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.benchmarks.job import Job
from tests.benchmarks.meter import Meter


@asynccontextmanager
async def echo(
    job: Job, meter: Meter, *, headers: bool = True, tuned: bool = False
) -> AsyncIterator[None]:
    """Copy what is heard, with the delivery settings that our services have too.

    Args:
        job: what to copy.
        meter: told of what is committed.
        headers: copy them too.
        tuned: run the garbage collector as rarely as our services do.

    """
    if tuned:
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
    consumer = AIOKafkaConsumer(
        *job.hears,
        bootstrap_servers=job.kafka,
        group_id=job.prefix + job.variant,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=job.kafka,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=1_000_000,
    )
    async with consumer, producer, asyncio.TaskGroup() as group:
        copying = group.create_task(_copy(consumer, producer, job.says, meter, headers))
        yield
        copying.cancel()


async def _copy(
    consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, says: str, meter: Meter, headers: bool
) -> None:
    while True:
        batches = await consumer.getmany(timeout_ms=50, max_records=1000)
        acks = [
            ack
            for where, records in batches.items()
            for ack in await _sent(producer, says, where.partition, records, headers)
        ]
        for ack in acks:
            await ack
        if batches:
            await consumer.commit({at: own[-1].offset + 1 for at, own in batches.items()})
        meter.advance(sum(map(len, batches.values())))


async def _sent(
    producer: AIOKafkaProducer, says: str, partition: int, records: list[Any], headers: bool
) -> list[Any]:
    acks, batch = [], producer.create_batch()
    for record in records:
        own = list(record.headers) if headers else []
        if batch.append(key=record.key, value=record.value, timestamp=None, headers=own) is None:
            acks.append(await producer.send_batch(batch, says, partition=partition))
            batch = producer.create_batch()
            batch.append(key=record.key, value=record.value, timestamp=None, headers=own)
    return [*acks, await producer.send_batch(batch, says, partition=partition)]

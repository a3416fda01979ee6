"""The peers' way to predict on a stream: one message at a time, as their documentation shows it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import lightgbm
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

from tests.benchmarks.job import Job
from tests.benchmarks.meter import Meter


@asynccontextmanager
async def aiokafka_tutorial(job: Job, meter: Meter) -> AsyncIterator[None]:
    """Do it as the aiokafka tutorial does: `async for`, json, `send_and_wait`."""
    booster = lightgbm.Booster(model_file=job.model)
    consumer = AIOKafkaConsumer(
        *job.hears,
        bootstrap_servers=job.kafka,
        group_id=job.prefix + job.variant,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=job.kafka)

    async def work() -> None:
        async for record in consumer:
            event = json.loads(record.value)
            row = np.array([list(event["features"].values())])
            score = float(booster.predict(row, num_threads=1)[0])
            answer = {"id": event["id"], "score": score, "features": event["features"]}
            await producer.send_and_wait(job.says, json.dumps(answer).encode(), key=record.key)
            meter.advance(1)

    async with consumer, producer, asyncio.TaskGroup() as group:
        working = group.create_task(work())
        yield
        working.cancel()


class Event(BaseModel):
    """What comes in."""

    id: str
    time: str
    features: dict[str, float]


class Prediction(BaseModel):
    """What goes out."""

    id: str
    score: float
    features: dict[str, float]


@asynccontextmanager
async def faststream_docs(job: Job, meter: Meter) -> AsyncIterator[None]:
    """Do it as the FastStream documentation does: a subscriber, a publisher, pydantic."""
    booster = lightgbm.Booster(model_file=job.model)
    broker = KafkaBroker(job.kafka, logger=None)

    async def predict(event: Event) -> Prediction:
        row = np.array([list(event.features.values())])
        score = float(booster.predict(row, num_threads=1)[0])
        meter.advance(1)
        return Prediction(id=event.id, score=score, features=event.features)

    subscriber = broker.subscriber(
        *job.hears, group_id=job.prefix + job.variant, auto_offset_reset="earliest"
    )
    decorated: Any = broker.publisher(job.says)(predict)
    subscriber(decorated)
    async with broker:
        await broker.start()
        yield

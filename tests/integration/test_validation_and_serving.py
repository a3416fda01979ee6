"""Validation and serving on real Kafka and Redis: declared, fed, promoted, stopped, started."""

import asyncio
import contextlib
import json

from aiokafka import AIOKafkaConsumer

from contracts.data import EVENTS, EVENTS_QUARANTINED, PREDICTIONS
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from deploy.local.stack import infrastructure
from services.serving import app as serving
from services.serving.settings import Settings as ServingSettings
from services.validation import app as validation
from services.validation.settings import Settings as ValidationSettings
from shared.artifacts import Artifacts
from shared.kafka import Message, Producer
from shared.kafka.names import control_topics, data_topics, ensure
from tests.doubles import MemoryKafka, telemetry
from tests.service.serving.world import MODEL, event, linear, plan
from tests.service.serving.world import World as Told

PARTITIONS = 4


@contextlib.asynccontextmanager
async def running(*lists):
    started = []
    try:
        for own in lists:
            for part in own:
                async with asyncio.timeout(30):
                    await part.start()
                started.append(part)
        yield
    finally:
        for part in reversed(started):
            await part.stop()


def services(kafka, redis, names, state):
    at = {"kafka": kafka, "prefix": names.prefix}
    return (
        validation.parts(ValidationSettings(redis=redis, **at), telemetry("validation")),
        serving.parts(ServingSettings(state=state, **at), telemetry("serving")),
    )


async def prepare(kafka, names):
    await ensure(kafka, control_topics(names, (MODEL_DECLARED, RELEASE_CHANGED), 1))
    await ensure(kafka, data_topics(names, MODEL, PARTITIONS, 1))


async def tell(kafka, names, state, *steps):
    """Publish what the registry would: the steps are done on a world in memory."""
    world = Told(state, kafka=MemoryKafka(names))
    for step in steps:
        step(world)
    publisher = Producer(kafka)
    await publisher.start()
    for topic in (MODEL_DECLARED, RELEASE_CHANGED):
        for record in world.kafka.records(names.topic(topic)):
            await publisher.publish([Message(record.topic, record.key, record.value)])
    await publisher.stop()


async def send(kafka, topic, values):
    publisher = Producer(kafka)
    await publisher.start()
    await publisher.publish([Message(topic, None, value) for value in values])
    await publisher.stop()


async def read_until(kafka, topic, number, seconds=40, *, distinct=False):
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found = []
    try:
        async with asyncio.timeout(seconds):
            while len({r.value for r in found} if distinct else found) < number:
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    found += batch
        return found
    finally:
        await consumer.stop()


async def test_events_before_their_declaration_a_promotion_and_a_restart(real, names, tmp_path):
    kafka, redis = real
    await prepare(kafka, names)
    topic = names.data(EVENTS, MODEL)
    first = [json.dumps(event(n)).encode() for n in range(500)] + [b"garbage", None, b"x" * 950_000]
    async with running(*services(kafka, redis, names, tmp_path)):
        await send(kafka, topic, first)
        await tell(
            kafka,
            names,
            tmp_path,
            Told.declare,
            lambda w: w.release(plan(0, "0.0.0", None), lead_ms=0),
        )
        before = await read_until(kafka, names.data(PREDICTIONS, MODEL), 500)
        bad = await read_until(kafka, names.data(EVENTS_QUARANTINED, MODEL), 3)
    assert {json.loads(r.value)["id"] for r in before} == {f"e{n}" for n in range(500)}
    assert {r.value for r in bad} == {b"garbage", None}
    assert any(b"950,000 bytes" in dict(r.headers)["quarantine-reason"] for r in bad)
    assert all(r.key == json.loads(r.value)["id"].encode() for r in before)

    artifact = Artifacts(tmp_path / "artifacts").put(linear(1))
    await tell(
        kafka,
        names,
        tmp_path,
        lambda w: w.release(plan(0, "0.0.0", None), lead_ms=0),
        lambda w: w.release(plan(1, "1.0.0", artifact), lead_ms=0),
    )
    async with running(*services(kafka, redis, names, tmp_path)):
        again = first[:20] + [json.dumps(event(n)).encode() for n in range(500, 600)]
        await send(kafka, topic, again)
        after = await read_until(kafka, names.data(PREDICTIONS, MODEL), 600)
    ids = [json.loads(r.value)["id"] for r in after]
    assert len(ids) == len(set(ids)) == 600
    versions = {json.loads(r.value)["id"]: json.loads(r.value)["version"] for r in after}
    assert {versions[f"e{n}"] for n in range(500)} == {"0.0.0"}
    assert {versions[f"e{n}"] for n in range(500, 600)} == {"1.0.0"}


async def test_a_redis_that_is_killed_costs_time_and_nothing_else(names, tmp_path):
    with infrastructure(tmp_path / "own") as stack:
        kafka, redis = stack
        await prepare(kafka, names)
        await tell(
            kafka, names, tmp_path, Told.declare, lambda w: w.release(plan(0, "0.0.0", None))
        )
        topic = names.data(EVENTS, MODEL)
        async with running(*services(kafka, redis, names, tmp_path)):
            await send(kafka, topic, [json.dumps(event(n)).encode() for n in range(100)])
            await read_until(kafka, names.data(PREDICTIONS, MODEL), 100)
            stack.redis.kill()
            await send(kafka, topic, [json.dumps(event(n)).encode() for n in range(50, 200)])
            stack.redis.restart()
            found = await read_until(kafka, names.data(PREDICTIONS, MODEL), 200, distinct=True)
        # Redis may lose the last second of what it remembered: then there are copies, and a copy
        # says the same.
        answers = {}
        for record in found:
            assert answers.setdefault(json.loads(record.value)["id"], record.value) == record.value
        assert len(answers) == 200

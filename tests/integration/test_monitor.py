"""The monitor on real Kafka and Redis: the store, and a storm of SIGKILLs with a lost Redis."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from contracts.data import LABELS_VALIDATED, OUTCOMES, PREDICTIONS
from contracts.performance import PERFORMANCE_MEASURED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from deploy.local.ports import Ports
from services.monitor.adapters.store import RedisStore
from services.monitor.app import TOPICS
from shared.kafka import Message, Producer
from shared.kafka.fetch import Reader
from shared.kafka.message import Position
from shared.kafka.names import control_topics, data_topics, ensure
from tests.service.monitor.suite import StoreBehaviour
from tests.service.monitor.world import (
    at,
    ce_id,
    declaration,
    declared,
    label,
    prediction,
    released,
)

DEADLINE_S = 120
PARTITIONS = 3


class TestRedisStore(StoreBehaviour):
    @pytest.fixture
    async def store(self, real, names):
        store = RedisStore(real.redis.url, names.prefix, label_ttl_s=60)
        await store.start()
        yield store
        await store.stop()

    async def test_what_it_keeps_expires(self, store, real, names):
        from services.monitor.ports import Arrived, Due, Places

        await store.place("m", 0, Places(0, 0))
        await store.keep("m", [Arrived(0, 0, 1, b"a" * 16, bytes(24))])
        await store.claim("m", [Due(0, 0, b"b" * 16, bytes(8), 0, 60)])
        async with Redis.from_url(real.redis.url) as redis:
            keys = [key async for key in redis.scan_iter(f"{names.prefix}*:{'?' * 16}")]
            assert len(keys) == 2
            assert all([0 < await redis.ttl(key) <= 60 for key in keys])


class Copy:
    """A process of the monitor."""

    def __init__(self, real, database, names, folder):
        self.log = folder / "monitor.log"
        self.environment = os.environ | {
            "DRIFTWHEEL_KAFKA": real.kafka.address,
            "DRIFTWHEEL_REDIS": f"{real.redis.url}/{database}",
            "DRIFTWHEEL_PREFIX": names.prefix,
            "DRIFTWHEEL_INSTANCE": "one",
            "DRIFTWHEEL_LABEL_PATIENCE_S": "1",
        }
        self.process, self.begun = None, 0

    def start(self):
        command = [
            *(sys.executable, "-m", "uvicorn", "services.monitor.app:build", "--factory"),
            *("--port", str(Ports().any()), "--log-level", "warning"),
        ]
        with self.log.open("a") as log:
            self.begun = log.tell()
            self.process = subprocess.Popen(command, env=self.environment, stderr=log, stdout=log)

    async def ready(self):
        """Wait until it has begun to work."""
        async with asyncio.timeout(DEADLINE_S):
            while '"ready"' not in self.log.read_text()[self.begun :]:
                await asyncio.sleep(0.1)

    def kill(self):
        self.process.kill()
        self.process.wait()


async def begun_anew(redis):
    """Wait until a flushed store is written to."""
    async with asyncio.timeout(DEADLINE_S):
        while not await redis.dbsize():
            await asyncio.sleep(0.1)


async def read(kafka, topic, count):
    """Read `count` records of a topic and whatever follows at once."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found = []
        async with asyncio.timeout(DEADLINE_S):
            while True:
                batches = await consumer.getmany(timeout_ms=500)
                found += [record for batch in batches.values() for record in batch]
                if count(found) and not batches:
                    return found
    finally:
        await consumer.stop()


def stream(seed, n):
    """Make predictions and labels in time order, with everything that labels do to one another."""
    random.seed(seed)
    said = []
    truth = {}
    for number in range(n):
        event_id, hours = f"e{number}", number / 20
        said.append((hours, PREDICTIONS, event_id, prediction(event_id, hours)))
        if number % 31 == 0:
            said.append((hours + 0.01, PREDICTIONS, event_id, prediction(event_id, hours)))
        kind = number % 16
        times = {
            0: [],
            1: [hours - 0.2],
            2: [hours + 30],
            3: [hours + 1, hours + 3],
            4: [hours + 1, hours + 40],
        }.get(kind, [hours + random.uniform(0.1, 3.5)])
        for count, time in enumerate(times):
            value = random.random() < 0.3 if count == 0 else not truth[event_id][0]
            truth[event_id] = (value, at(time))
            said.append((time, LABELS_VALIDATED, event_id, label(event_id, time, value)))
            if number % 29 == 0:
                said.append((time + 0.02, LABELS_VALIDATED, event_id, label(event_id, time, value)))
        truth.setdefault(event_id, (None, None))
    return sorted(said, key=lambda one: one[0]), truth


def last_words(records):
    last = {}
    for record in records:
        outcome = json.loads(record.value)
        known = last.get(outcome["id"])
        if known is None or (outcome["label_time"] or "") >= (known["label_time"] or ""):
            last[outcome["id"]] = outcome
    return last


@contextlib.asynccontextmanager
async def deployed(real, names):
    """Topics, a declared and released model, and a producer."""
    kafka = real.kafka.address
    await ensure(kafka, control_topics(names, TOPICS, 1))
    await ensure(kafka, data_topics(names, "m", PARTITIONS, 1))
    producer = Producer(kafka)
    await producer.start()
    try:
        for topic, event in (
            (MODEL_DECLARED, declared(declaration())),
            (RELEASE_CHANGED, released()),
        ):
            await producer.publish(
                [Message(names.topic(topic), b"m", event.model_dump_json().encode())]
            )
        yield producer
    finally:
        await producer.stop()


async def test_a_storm_of_kills_and_a_lost_redis(real, names, tmp_path):
    said, truth = stream(seed=1, n=1500)
    copy = Copy(real, 5, names, tmp_path)
    async with deployed(real, names) as producer, Redis.from_url(f"{real.redis.url}/5") as redis:
        copy.start()
        try:
            for step in range(0, len(said), 100):
                await producer.publish(
                    [
                        Message(names.data(topic, "m"), i.encode(), value)
                        for _, topic, i, value in said[step : step + 100]
                    ]
                )
                await asyncio.sleep(0.4)  # the storm's own rhythm
                if step % 700 == 600:
                    copy.kill()
                    copy.start()
                if step == 1500:
                    await copy.ready()
                    await redis.flushdb()
                if step == 1600:
                    await begun_anew(redis)
            ends = [
                Message(
                    names.data(PREDICTIONS, "m"), f"end{n}".encode(), prediction(f"end{n}", 999)
                )
                for n in range(30)
            ]
            await producer.publish(ends)
            topic = names.data(OUTCOMES, "m")

            def complete(records):
                words = last_words(records)
                return {i: (o["label"], o["label_time"]) for i, o in words.items()} == truth

            outcomes = await read(real.kafka.address, topic, complete)
            measured = await read(
                real.kafka.address,
                names.topic(PERFORMANCE_MEASURED),
                lambda found: len({json.loads(record.value)["event_id"] for record in found}) == 3,
            )
        finally:
            copy.kill()
    contents = defaultdict(set)
    for record in outcomes:
        contents[ce_id(record)].add(record.value)
    assert {len(values) for values in contents.values()} == {1}
    windows = {}
    for record in measured:
        event = PERFORMANCE_MEASURED.message.model_validate_json(record.value)
        assert windows.setdefault(event.event_id, event) == event
    full = sorted(windows.values(), key=lambda event: event.window.start)
    assert [event.n for event in full] == [480, 480, 480]


async def test_a_replay_of_both_topics_adds_no_outcome(real, names, tmp_path):
    said, truth = stream(seed=2, n=400)
    copy = Copy(real, 6, names, tmp_path)
    kafka, outcomes = real.kafka.address, names.data(OUTCOMES, "m")
    async with deployed(real, names) as producer:
        ends = [(999, PREDICTIONS, f"end{n}", prediction(f"end{n}", 999)) for n in range(30)]
        await producer.publish(
            [
                Message(names.data(topic, "m"), i.encode(), value)
                for _, topic, i, value in said + ends
            ]
        )
        copy.start()
        try:
            before = await read(kafka, outcomes, lambda found: len(last_words(found)) == len(truth))
        finally:
            copy.kill()
        group = AIOKafkaConsumer(
            bootstrap_servers=kafka, group_id=names.group("monitor-join"), enable_auto_commit=False
        )
        await group.start()
        positions = [
            Position(names.data(topic, "m"), n)
            for topic in (PREDICTIONS, LABELS_VALIDATED)
            for n in range(PARTITIONS)
        ]
        group.assign(positions)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(Exception):
                    await group.commit(dict.fromkeys(positions, 0))
                    break
                await asyncio.sleep(0.2)
        await group.stop()
        copy.start()
        try:
            after = await read(
                kafka, outcomes, lambda found: len(found) >= len(before) + len(truth)
            )
        finally:
            copy.kill()
    known = {ce_id(record): record.value for record in before}
    assert {ce_id(record): record.value for record in after} == known
    assert all(known[ce_id(record)] == record.value for record in after)


async def test_the_log_is_read_by_offset(real, names):
    async with deployed(real, names) as producer:
        topic = names.data(PREDICTIONS, "m")
        position = Position(topic, 0)
        values = [b"%d" % n for n in range(300)]
        await producer.publish([Message(topic, value, value) for value in values])
        reader = Reader(real.kafka.address)
        await reader.start()
        try:
            (beginning, end) = (await reader.bounds([position]))[position]
            assert beginning == 0 < end
            for offset in (end - 1, 0, 5):
                found = await reader.record(position, offset)
                assert found.offset == offset
            assert await reader.record(position, end) is None
            assert await reader.offset_at(position, 0) == 0
            assert await reader.offset_at(position, 2**42) == end
            assert await reader.committed("nobody", [position]) == {}
            assert await reader.partitions(topic) == PARTITIONS
        finally:
            await reader.stop()

"""What the monitor reads and writes on a real Kafka and Redis."""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError
from redis.asyncio import Redis

from contracts.data import PREDICTIONS
from services.monitor.adapters.store import RedisStore
from shared.kafka import Message, Producer
from shared.kafka.fetch import Reader
from shared.kafka.message import Position
from shared.kafka.names import data_topics, ensure
from tests.polling import until
from tests.service.monitor.suite import StoreBehaviour

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


async def test_the_log_is_read_by_offset(real, names):
    kafka, topic = real.kafka.address, names.data(PREDICTIONS, "m")
    await ensure(kafka, data_topics(names, "m", PARTITIONS, 1))
    position, producer, reader = Position(topic, 0), Producer(kafka), Reader(kafka)
    async with AsyncExitStack() as running:
        for part in (producer, reader):
            await part.start()
            running.push_async_callback(part.stop)
        for first in range(0, 300, 50):
            values = [b"%d" % n for n in range(first, first + 50)]
            await producer.publish([Message(topic, value, value) for value in values])
        (beginning, end) = (await reader.bounds([position]))[position]
        assert beginning == 0 < end
        for offset in (end - 1, 0, 5):
            found = await reader.record(position, offset)
            assert found.offset == offset
        several = await reader.records(position, [end - 1, 5, 6, 5, end, end + 9])
        assert {offset: record.offset for offset, record in several.items()} == {
            offset: offset for offset in (5, 6, end - 1)
        }
        every = await reader.records(position, range(-3, end + 3))
        assert [every[offset].value for offset in range(end)] == [
            (await reader.record(position, offset)).value for offset in range(end)
        ]
        assert await reader.records(position, []) == {}
        assert await reader.record(position, end) is None
        assert await reader.offset_at(position, 0) == 0
        assert await reader.offset_at(position, 2**42) == end
        assert await reader.partitions(topic) == PARTITIONS

        async def uncommitted():
            """Ask for a group that never was; a broker whose first group this is takes a while."""
            with contextlib.suppress(GroupCoordinatorNotAvailableError):
                return await reader.committed("nobody", [position]) == {}

        assert await until(uncommitted)

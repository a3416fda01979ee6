"""The subscription's side of the wrapper: what is committed, and when nothing may be."""

import asyncio
from types import SimpleNamespace

import pytest

from contracts.data import EVENTS
from shared.kafka import Consumer, Message, Position, Told
from shared.kafka.consumer import _Rebalance
from shared.kafka.producer import Unpublishable
from tests.doubles import MemoryKafka, record, telemetry

TOPIC = "test.data.m.events.v1"
WHERE = Position(TOPIC, 0)


class Reader:
    """Remembers what is asked of it."""

    def __init__(self):
        self.commits, self.seeks, self.paused = [], [], []

    def assignment(self):
        return {WHERE}

    async def commit(self, ends):
        self.commits.append(ends)

    def seek(self, position, offset):
        self.seeks.append((position, offset))

    def pause(self, *positions):
        self.paused += positions

    def highwater(self, _):
        return 10


@pytest.fixture
def consumer():
    kafka = MemoryKafka()
    return Consumer(telemetry(), "g", kafka="", names=kafka.names, publisher=kafka)


def message(*offsets):
    records = tuple(record(TOPIC, b"x", offset=offset) for offset in offsets)
    return SimpleNamespace(raw_message=records, consumer=Reader(), body=None)


async def test_a_batch_is_committed_after_its_last_record_and_let_go(consumer):
    async def handle(batch):
        return Told()

    consumer.on_data(EVENTS, handle)
    batch = message(3, 4)
    await consumer._listen(batch)
    assert batch.consumer.commits == [{WHERE: 5}]
    assert (batch.body, len(batch.raw_message)) == ([], 1)
    assert consumer.lag == {WHERE: 5}


async def test_a_held_partition_is_committed_and_read_again_from_where_it_is_held(consumer):
    async def handle(batch):
        return Told(held={WHERE: 4})

    consumer.on_data(EVENTS, handle)
    batch = message(3, 4, 5)
    await consumer._listen(batch)
    assert batch.consumer.commits == [{WHERE: 4}]
    assert batch.consumer.seeks == [(WHERE, 4)]
    assert batch.consumer.paused == [WHERE]


async def test_what_escapes_the_handling_halts_and_commits_nothing(consumer):
    async def handle(batch):
        return Told(messages=[Message("out", b"k", b"v")])

    async def refuse(messages):
        raise Unpublishable(messages[0])

    consumer.on_data(EVENTS, handle)
    consumer.publisher = SimpleNamespace(publish=refuse)
    first, second = message(3), message(4)
    await consumer._listen(first)
    assert "escaped the handling" in (consumer.unready() or "")
    waiting = asyncio.create_task(consumer._listen(second))
    await asyncio.wait({waiting}, timeout=0.05)
    assert not waiting.done()
    consumer.ending.set()
    await waiting
    assert first.consumer.commits == second.consumer.commits == []


async def test_partitions_that_cannot_be_taken_over_halt(consumer):
    async def position(_):
        raise KeyError("ours")

    consumer.on_assigned(position)
    reader = Reader()
    await _Rebalance(consumer, lambda: reader).on_partitions_assigned([WHERE])
    assert "taken over" in (consumer.halted or "")
    assert reader.seeks == []


async def test_partitions_are_read_from_where_the_service_says(consumer):
    async def position(positions):
        return dict.fromkeys(positions, 42)

    consumer.on_assigned(position)
    reader = Reader()
    await _Rebalance(consumer, lambda: reader).on_partitions_assigned([WHERE])
    assert reader.seeks == [(WHERE, 42)]

"""The subscription's side of the wrapper: what is committed, and when nothing may be."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import CommitFailedError, KafkaError

from contracts.data import EVENTS
from shared.errors import Transient
from shared.kafka import Consumer, Message, Position, Told
from shared.kafka.producer import Unpublishable
from shared.kafka.rebalance import Rebalance
from tests.doubles import MemoryKafka, record, telemetry

TOPIC = "test.data.m.events.v1"
WHERE = Position(TOPIC, 0)


class Reader:
    """Remembers what is asked of it."""

    def __init__(self):
        self.commits, self.seeks, self.paused, self.polls, self.end = [], [], set(), 0, 10
        self.assigned = {WHERE}

    def assignment(self):
        return self.assigned

    async def commit(self, ends):
        if not ends:
            raise ValueError(ends)
        self.commits.append(ends)

    def seek(self, position, offset):
        self.seeks.append((position, offset))

    def pause(self, *positions):
        self.paused |= set(positions)

    def resume(self, *positions):
        self.paused -= set(positions)

    async def getmany(self, timeout_ms):
        assert self.paused == {WHERE}
        self.polls += 1
        return {}

    async def position(self, _):
        return 3

    async def end_offsets(self, positions):
        return dict.fromkeys(positions, self.end)


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def consumer(reader):
    kafka = MemoryKafka()
    consumer = Consumer(telemetry(), "g", kafka="", names=kafka.names, publisher=kafka, drain_s=5)
    consumer._subscription = SimpleNamespace(reader=reader)
    return consumer


def batch(*offsets):
    return [record(TOPIC, b"x", offset=offset) for offset in offsets]


async def listen(consumer, *offsets):
    """Handle a batch, and wait for its commit."""
    await consumer._listen(batch(*offsets))
    await consumer.commits.settle()


async def eventually(check):
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0)


async def test_a_batch_is_committed_after_its_last_record(consumer, reader):
    async def handle(batch):
        return Told()

    consumer.on_data(EVENTS, handle)
    await listen(consumer, 3, 4)
    assert reader.commits == [{WHERE: 5}]
    assert consumer.progress.done == {WHERE: 5}


async def test_a_held_partition_is_read_again_from_where_it_is_held(consumer, reader):
    async def handle(batch):
        return Told(held={WHERE: 4})

    consumer.on_data(EVENTS, handle)
    await listen(consumer, 3, 4, 5)
    assert reader.commits == [{WHERE: 4}]
    assert reader.seeks == [(WHERE, 4)]
    assert reader.paused == consumer.held == {WHERE}


async def test_what_escapes_the_handling_halts_and_commits_nothing(consumer, reader):
    async def handle(batch):
        return Told(messages=[Message("out", b"k", b"v")])

    async def refuse(messages, blocks):
        raise Unpublishable(messages[0])

    consumer.on_data(EVENTS, handle)
    consumer.publisher = SimpleNamespace(publish=refuse)
    await listen(consumer, 3)
    assert "escaped the handling" in (consumer.unready() or "")
    await listen(consumer, 4)
    assert reader.commits == []
    # What comes after is put back, so that the group goes on without this member being stuck.
    assert reader.seeks == [(WHERE, 4)]
    assert reader.paused == {WHERE}
    assert consumer.dead() is None


async def test_a_commit_that_does_not_come_through_is_left_to_the_next(consumer, reader):
    async def fail(ends):
        raise CommitFailedError

    async def handle(batch):
        return Told()

    consumer.on_data(EVENTS, handle)
    reader.commit = fail
    await listen(consumer, 3)
    assert consumer.halted is None
    assert consumer.progress.done == {WHERE: 3}


async def test_a_commit_goes_on_beside_the_next_batch_and_only_one_at_a_time(consumer, reader):
    answers = asyncio.Queue()

    async def commit(ends):
        reader.commits.append(ends)
        await answers.get()

    async def handle(batch):
        return Told()

    consumer.on_data(EVENTS, handle)
    reader.commit = commit
    await consumer._listen(batch(3))
    listening = asyncio.create_task(consumer._listen(batch(4)))
    await eventually(consumer.in_flight.locked)
    assert consumer.progress.done == {WHERE: 3}
    answers.put_nowait("done")
    await listening
    await eventually(lambda: len(reader.commits) == 2)
    assert reader.commits == [{WHERE: 4}, {WHERE: 5}]
    assert consumer.progress.done == {WHERE: 4}
    answers.put_nowait("done")
    await consumer.commits.settle()
    assert consumer.progress.done == {WHERE: 5}


async def test_a_commit_that_fails_as_none_may_halts(consumer, reader):
    async def fail(ends):
        raise KeyError("ours")

    async def handle(batch):
        return Told()

    consumer.on_data(EVENTS, handle)
    reader.commit = fail
    await listen(consumer, 3)
    await listen(consumer, 4)
    assert "KeyError('ours') escaped" in (consumer.halted or "")


@pytest.mark.parametrize(
    "leave",
    [lambda consumer: Rebalance(consumer).on_partitions_revoked({WHERE}), Consumer.stop],
    ids=["rebalance", "end"],
)
async def test_who_leaves_waits_for_the_commit_under_way(consumer, reader, leave):
    answer = asyncio.Event()

    async def gone():
        assert reader.commits == [{WHERE: 4}]

    async def commit(ends):
        await answer.wait()
        reader.commits.append(ends)

    async def handle(batch):
        return Told()

    consumer.on_data(EVENTS, handle)
    reader.commit = commit
    await consumer._listen(batch(3))
    consumer._subscription.stop = gone
    leaving = asyncio.create_task(leave(consumer))
    await eventually(consumer.let_go.is_set)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not leaving.done()
    answer.set()
    await leaving
    assert reader.commits == [{WHERE: 4}]


async def test_a_batch_whose_partitions_have_gone_is_not_committed_and_halts_nothing(
    consumer, reader
):
    async def handle(batch):
        reader.assigned = set()
        return Told(held={WHERE: 3})

    consumer.on_data(EVENTS, handle)
    await listen(consumer, 3)
    assert (consumer.halted, reader.commits, reader.seeks) == (None, [], [])
    assert consumer.held == set()


async def test_a_wait_keeps_polling_with_everything_paused_and_then_reads_on(consumer, reader):
    outages = [Transient("redis is away")] * 2

    async def handle(batch):
        if outages:
            raise outages.pop()
        return Told()

    consumer.on_data(EVENTS, handle)
    consumer.held.add(Position(TOPIC, 7))
    await listen(consumer, 3)
    assert reader.polls == 2
    assert reader.paused == set()
    assert reader.commits == [{WHERE: 4}]


async def test_a_rebalance_lets_go_of_a_batch_that_waits(consumer, reader):
    async def handle(batch):
        raise Transient("redis is away")

    consumer.on_data(EVENTS, handle)
    rebalance = Rebalance(consumer)
    listening = asyncio.create_task(consumer._listen(batch(3)))
    await eventually(lambda: reader.polls)
    async with asyncio.timeout(2):
        await rebalance.on_partitions_revoked({WHERE})
        await listening
    assert reader.commits == []
    assert consumer.waiting is None
    await rebalance.on_partitions_assigned({WHERE})
    assert not consumer.let_go.is_set()


async def test_a_rebalance_lets_a_batch_that_works_finish(consumer, reader):
    working, done = asyncio.Event(), asyncio.Event()

    async def handle(batch):
        working.set()
        await done.wait()
        return Told()

    consumer.on_data(EVENTS, handle)
    listening = asyncio.create_task(consumer._listen(batch(3)))
    await working.wait()
    revoking = asyncio.create_task(Rebalance(consumer).on_partitions_revoked({WHERE}))
    await asyncio.sleep(0)
    assert not revoking.done()
    done.set()
    await asyncio.gather(listening, revoking)
    assert reader.commits == [{WHERE: 4}]


async def test_partitions_that_cannot_be_taken_over_halt(consumer, reader):
    async def position(_):
        raise KeyError("ours")

    consumer.on_assigned(position)
    rebalance = Rebalance(consumer)
    await rebalance.on_partitions_assigned([WHERE])
    await rebalance.placing
    assert "taken over" in (consumer.halted or "")
    assert reader.seeks == []
    assert reader.paused == {WHERE}


async def test_partitions_are_read_from_where_the_service_says(consumer, reader):
    known = asyncio.Event()

    async def position(positions):
        await known.wait()
        return dict.fromkeys(positions, 42)

    consumer.on_assigned(position)
    rebalance = Rebalance(consumer)
    await rebalance.on_partitions_assigned([WHERE])
    assert reader.paused == {WHERE}
    known.set()
    await rebalance.placing
    assert reader.seeks == [(WHERE, 42)]
    assert reader.commits == [{WHERE: 42}]
    assert reader.paused == consumer.unplaced == set()


async def test_nothing_is_read_again_before_the_offset_is_committed(consumer, reader):
    """Else a crash on the way back to the old commit would leave out what was not told yet."""
    outages, commit = [KafkaError()], reader.commit

    async def position(positions):
        return dict.fromkeys(positions, 42)

    async def fail(ends):
        assert reader.paused == {WHERE}
        if outages:
            raise outages.pop()
        await commit(ends)

    reader.commit = fail
    consumer.on_assigned(position)
    rebalance = Rebalance(consumer)
    await rebalance.on_partitions_assigned([WHERE])
    await rebalance.placing
    assert (outages, reader.commits) == ([], [{WHERE: 42}])
    assert reader.paused == consumer.unplaced == set()

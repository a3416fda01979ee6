"""The consumer wrapper on real Kafka: crash, rebalance, poison, large records, a broker killed."""

import asyncio
import contextlib
import os
import signal
import sys

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.data import EVENTS, EVENTS_VALIDATED
from deploy.local.stack import infrastructure
from shared.errors import Transient
from shared.kafka import Block, Consumer, Headers, Message, Position, Producer, Told
from shared.kafka.names import data_topics, ensure
from tests.doubles import telemetry
from tests.polling import until


async def read(kafka, topic):
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8_000_000,
    )
    await consumer.start()
    try:
        found = []
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=100)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def echoing(kafka, names, *, handle=None, seen=None, **options):
    publisher = Producer(kafka)
    await publisher.start()
    consumer = Consumer(
        telemetry(), "echo", kafka=kafka, names=names, publisher=publisher, **options
    )

    async def echo(batch):
        if seen is not None:
            seen.extend(record.value for record in batch.records)
        told = Told()
        for record in batch.records:
            if record.value == b"poison":
                raise ValueError("it says so itself")
            topic = names.data(EVENTS_VALIDATED, batch.model)
            told.messages.append(Message(topic, record.key or b"-", record.value, cause=record))
        return told

    consumer.on_data(EVENTS, handle or echo)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
        await publisher.stop()


@pytest.fixture
async def kafka(real, names):
    address, _ = real
    await ensure(address, data_topics(names, "m", 4, 1))
    return address


@pytest.fixture
async def publish(kafka, names):
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=2_000_000)
    await producer.start()

    async def send(values, headers=()):
        topic = names.data(EVENTS, "m")
        acks = [await producer.send(topic, v, key=v[:8], headers=list(headers)) for v in values]
        await asyncio.gather(*acks)

    yield send
    await producer.stop()


async def out(kafka, names, at_least=0):
    """Read the outputs, once there are so many different ones."""

    async def enough():
        values = [r.value for r in await read(kafka, names.data(EVENTS_VALIDATED, "m"))]
        return [values] if len(set(values)) >= at_least else None

    return (await until(enough, 60))[0]


async def test_poison_and_broken_headers_cost_only_themselves(kafka, names, publish):
    good = [b"%d" % number for number in range(500)]
    async with echoing(kafka, names):
        await publish([*good[:250], b"poison"], headers=[("null", None), ("latin", b"\xe9")])
        await publish(good[250:])
        seen = await out(kafka, names, len(good))
    assert sorted(seen) == sorted(good)
    (letter,) = await read(kafka, names.data(EVENTS, "m") + ".dlq")
    assert (letter.value, letter.key) == (b"poison", b"poison")


async def test_few_records_wait_for_more_where_a_group_lingers(kafka, names, publish):
    batches = []

    async def handle(batch):
        batches.append(len(batch.records))
        return Told()

    async with echoing(kafka, names, handle=handle, linger_s=10) as consumer:
        await until(lambda: consumer.reader.assignment(), 30)
        for number in range(30):
            await publish([b"%d" % number])
        # It alone is enough for the broker to answer at once.
        await publish([os.urandom(100_000)])
        await until(lambda: sum(batches) == 31, 60)
    assert len(batches) <= 3


async def test_an_uncommitted_batch_comes_again_after_a_crash(kafka, names, publish):
    values = [b"%d" % number for number in range(200)]
    await publish(values)
    first, second = [], []

    async def crash(batch):
        first.extend(record.value for record in batch.records)
        raise asyncio.CancelledError

    with contextlib.suppress(asyncio.CancelledError):
        async with echoing(kafka, names, instance="0", handle=crash):
            await until(lambda: first)
    async with echoing(kafka, names, instance="0", seen=second):
        await until(lambda: len(second) >= len(values))
    assert set(second) == set(values)
    assert sorted(await out(kafka, names)) == sorted(values)


async def test_two_members_share_and_a_leaving_one_loses_and_doubles_nothing(kafka, names, publish):
    values = [b"%d" % number for number in range(3000)]
    async with echoing(kafka, names):
        await publish(values[:1000])
        async with echoing(kafka, names):
            await publish(values[1000:2000])
        await publish(values[2000:])
        seen = await out(kafka, names, len(values))
    assert sorted(seen) == sorted(values)


async def test_a_wait_longer_than_the_poll_interval_and_the_drain_keeps_the_membership(
    kafka, names, publish
):
    values = [b"%d" % number for number in range(100)]
    topic, back, batches = names.data(EVENTS, "m"), asyncio.Event(), []
    held = Position(topic, 0)

    async def handle(batch):
        if not back.is_set():
            raise Transient("redis is away")
        batches.append([record.value for record in batch.records])
        return Told()

    async def unripe(_):
        return False

    async with echoing(kafka, names, handle=handle, poll_s=4, drain_s=1) as consumer:
        consumer.on_held(unripe)
        await until(lambda: consumer.progress.positions)
        joined = consumer.reader._coordinator.generation
        consumer.held.add(held)
        consumer.reader.pause(held)
        await publish(values)
        await until(lambda: consumer.waiting)
        assert "redis is away" in consumer.unready()
        assert consumer.dead() is None
        deadline = asyncio.get_running_loop().time() + 6
        await until(lambda: asyncio.get_running_loop().time() > deadline)
        assert consumer.reader.paused() == consumer.reader.assignment()
        back.set()
        expected = {r.value for r in await read(kafka, topic) if r.partition != held.partition}
        await until(lambda: {v for batch in batches for v in batch} == expected)
        assert consumer.reader._coordinator.generation == joined
        assert consumer.reader.paused() == {held}
    handled = [value for batch in batches for value in batch]
    assert len(handled) == len(expected)


async def test_a_rebalance_takes_a_batch_that_waits_away_at_once(kafka, names, publish):
    values = [b"%d" % number for number in range(200)]
    back, first, second = asyncio.Event(), [], []

    async def handle(batch):
        if not back.is_set():
            raise Transient("redis is away")
        first.extend(record.value for record in batch.records)
        return Told()

    async with echoing(kafka, names, handle=handle, drain_s=60) as waiting:
        await publish(values)
        await until(lambda: waiting.waiting)
        async with echoing(kafka, names, seen=second):
            await until(lambda: len(second) > 20, 15)
            await until(lambda: waiting.waiting)
            back.set()
            await until(lambda: set(first) | set(second) == set(values))


async def test_a_record_that_ends_the_process_is_skipped_and_no_other(
    kafka, names, publish, tmp_path
):
    values = [b"%d" % number for number in range(300)]
    await publish([*values[:150], b"deadly", *values[150:]])
    options = [kafka, names.prefix, str(tmp_path)]
    codes = []
    while len(codes) < 6 and 0 not in codes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.crashing", *options
        )
        codes.append(await asyncio.wait_for(process.wait(), 60))
    assert codes == [-signal.SIGABRT] * 3 + [0]
    (letter,) = await read(kafka, names.data(EVENTS, "m") + ".dlq")
    assert letter.value == b"deadly"
    assert dict(letter.headers)["dlq-class"] == b"crash"
    assert set(await out(kafka, names)) == set(values)


async def test_a_broker_that_never_acknowledges_costs_a_client_and_no_record(tmp_path, names):
    with infrastructure(tmp_path) as running:
        address, topic = running.kafka.address, names.data(EVENTS, "m")
        await ensure(address, data_topics(names, "m", 1, 1))
        producer = Producer(address, deadline_s=2)
        await producer.publish([Message(topic, b"k", b"before")])
        os.kill(running.kafka.pid, signal.SIGSTOP)
        # Its threads stop one after another, and the last may still answer.
        await asyncio.to_thread(os.waitid, os.P_PID, running.kafka.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            for _ in range(2):
                with pytest.raises(Transient, match="not acknowledged"):
                    await producer.publish([Message(topic, b"k", b"lost?")])
            async with asyncio.timeout(15):
                frozen = Producer(address, deadline_s=2)
                with pytest.raises(Transient):
                    await frozen.publish([Message(topic, b"k", b"never")])
                await frozen.stop()
        finally:
            os.kill(running.kafka.pid, signal.SIGCONT)

        async def through():
            with contextlib.suppress(Transient):
                await producer.publish([Message(topic, b"k", b"after")])
                return True

        await until(through)
        await producer.stop()
        assert {b"before", b"after"} <= {r.value for r in await read(address, topic)}


async def test_what_is_too_large_for_kafka_is_parked_and_the_rest_goes_on(kafka, names, publish):
    async def swell(batch):
        topic = names.data(EVENTS_VALIDATED, batch.model)
        return Told(
            messages=[
                Message(
                    topic,
                    r.key or b"-",
                    os.urandom(3_000_000) if r.value == b"large" else r.value,
                    cause=r,
                )
                for r in batch.records
            ]
        )

    async with echoing(kafka, names, handle=swell):
        await publish([b"a", b"large", b"b"])
        seen = await out(kafka, names, 2)
        letters = await until(lambda: read(kafka, names.data(EVENTS, "m") + ".dlq"))
    assert sorted(set(seen)) == [b"a", b"b"]
    assert [letter.value for letter in letters] == [b"large"]
    assert dict(letters[0].headers)["dlq-class"] == b"unpublishable"


async def test_a_block_of_any_size_arrives_whole_and_in_order(kafka, names, publish):
    topic = names.data(EVENTS_VALIDATED, "m")

    async def blocks(batch):
        return Told(
            blocks=[
                Block(
                    topic,
                    run.position.partition,
                    [record.key or b"" for record in run.records],
                    # A batch of the producer holds three of these, and none holds the large one.
                    [os.urandom(3_000_000 if r.value == b"7" else 300_000) for r in run.records],
                    Headers((), {"was": [record.value or b"" for record in run.records]}),
                    run.records,
                )
                for run in batch.runs
            ]
        )

    values = [b"%d" % number for number in range(40)]
    async with echoing(kafka, names, handle=blocks):
        await publish(values)

        async def whole():
            found = await read(kafka, topic)
            return found if len({dict(r.headers)["was"] for r in found}) == 39 else None

        found = await until(whole, 60)
    letters = await read(kafka, names.data(EVENTS, "m") + ".dlq")
    assert [letter.value for letter in letters] == [b"7"]
    sources = {r.value: r.partition for r in await read(kafka, names.data(EVENTS, "m"))}
    assert all(r.partition == sources[dict(r.headers)["was"]] for r in found)
    for partition in range(4):
        was = [int(dict(r.headers)["was"]) for r in found if r.partition == partition]
        assert list(dict.fromkeys(was)) == sorted(set(was))


async def test_a_partition_without_a_leader_costs_no_other_topic(kafka, names, publish):
    async with echoing(kafka, names) as consumer:
        await publish([b"first"])
        await out(kafka, names, 1)
        # The client looks for the leader, and must go on looking at all topics meanwhile.
        asked = asyncio.ensure_future(consumer.reader.end_offsets([Position("nowhere", 0)]))
        await ensure(kafka, data_topics(names, "later", 1, 1))
        producer = Producer(kafka)
        await producer.start()
        await producer.publish([Message(names.data(EVENTS, "later"), b"k", b"second")])
        await producer.stop()
        await publish([b"third"])
        topic = names.data(EVENTS_VALIDATED, "later")
        assert [r.value for r in await until(lambda: read(kafka, topic), 60)] == [b"second"]
        assert set(await out(kafka, names, 2)) == {b"first", b"third"}
        asked.cancel()


async def test_a_killed_broker_that_comes_back_loses_nothing(tmp_path, names):
    with infrastructure(tmp_path) as running:
        address = running.kafka.address
        await ensure(address, data_topics(names, "m", 4, 1))
        values = [b"%d" % number for number in range(2000)]
        seen = []
        async with echoing(address, names, seen=seen):
            producer = Producer(address)
            await producer.start()
            topic = names.data(EVENTS, "m")
            await producer.publish([Message(topic, v, v) for v in values[:1000]])
            await until(lambda: len(seen) >= 500)
            running.kafka.kill()
            await asyncio.to_thread(running.kafka.restart)
            await producer.publish([Message(topic, v, v) for v in values[1000:]])
            await producer.stop()
            await until(lambda: set(seen) == set(values), 60)
            found = await out(address, names, len(values))
            assert set(found) == set(values)

"""What happens to records: parked, retried, held, published."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from contracts.data import EVENTS
from contracts.training import TRAINING_REQUESTED, TrainingRequested
from shared.errors import Transient
from shared.kafka import Block, Consumer, Headers, Message, Parked, Position, Told
from shared.kafka.limit import IN_A_ROW
from shared.kafka.patience import Abandoned
from shared.kafka.producer import Unpublishable
from tests.doubles import MemoryKafka, telemetry

TOPIC = "test.data.m.events.v1"
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kafka():
    return MemoryKafka()


@pytest.fixture
def consumer(kafka):
    consumer = Consumer(telemetry(), "g", kafka="", names=kafka.names, publisher=kafka)
    kafka.attach(consumer)
    return consumer


def as_messages(handler):
    return handler


def as_blocks(handler):
    """Tell the same as columns, a block per partition."""

    async def handle(batch):
        told = await handler(batch)
        told.blocks = [
            Block(
                "out",
                run.position.partition,
                [message.key for message in own],
                [message.value for message in own],
                Headers.each([message.headers for message in own]),
                [message.cause for message in own],
            )
            for run in batch.runs
            if (own := [m for m in told.messages if m.cause in run.records])
        ]
        told.messages = []
        return told

    return handle


both_forms = pytest.mark.parametrize("form", [as_messages, as_blocks])


def echo(kafka, **faults):
    async def handle(batch):
        told = Told()
        for record in batch.records:
            if record.value in faults.get("raise_on", {}):
                raise faults["raise_on"][record.value]
            told.messages.append(Message("out", record.key or b"-", record.value, cause=record))
        return told

    return handle


@both_forms
async def test_each_record_is_told_once_and_committed(kafka, consumer, form):
    consumer.on_data(EVENTS, form(echo(kafka)))
    for number in range(5):
        kafka.append(TOPIC, b"%d" % number, key=b"k")
    await kafka.settle()
    assert kafka.values("out") == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_value_error_parks_the_record_to_blame_and_no_other(kafka, consumer):
    consumer.on_data(EVENTS, echo(kafka, raise_on={b"2": ValueError("two is bad")}))
    for number in range(5):
        kafka.append(TOPIC, b"%d" % number, key=b"k", headers=[("h", None), ("i", b"\xff")])
    await kafka.settle()
    assert kafka.values("out") == [b"0", b"1", b"3", b"4"]
    (letter,) = kafka.records(TOPIC + ".dlq")
    headers = dict(letter.headers)
    assert (letter.value, letter.key) == (b"2", b"k")
    assert headers["dlq-class"] == b"poison"
    assert headers["dlq-reason"] == b"two is bad"
    assert (headers["dlq-topic"], headers["dlq-offset"]) == (TOPIC.encode(), b"2")
    assert headers["i"] == b"\xff"


async def test_a_bug_is_tried_three_times_then_parked(kafka, consumer):
    seen = []

    async def handle(batch):
        seen.append(len(batch))
        raise KeyError("ours")

    consumer.on_data(EVENTS, handle)
    kafka.append(TOPIC, b"x")
    await kafka.settle()
    assert seen == [1, 1, 1]
    assert dict(kafka.records(TOPIC + ".dlq")[0].headers)["dlq-class"] == b"bug"


async def test_a_bug_that_passes_leaves_no_trace_in_the_dead_letters(kafka, consumer):
    tries = []

    async def handle(batch):
        tries.append(1)
        if len(tries) < 3:
            raise KeyError("ours")
        return Told()

    consumer.on_data(EVENTS, handle)
    kafka.append(TOPIC, b"x")
    await kafka.settle()
    assert len(tries) == 3
    assert kafka.records(TOPIC + ".dlq") == []


async def test_an_outage_is_waited_out_and_parks_nothing(kafka, consumer):
    outages = [Transient("redis is away"), ConnectionError("still")]

    async def handle(batch):
        if outages:
            raise outages.pop()
        return Told(messages=[Message("out", b"k", r.value, cause=r) for r in batch.records])

    consumer.on_data(EVENTS, handle)
    kafka.append(TOPIC, b"x")
    kafka.failures = [Transient("kafka is away")]
    await kafka.settle()
    assert kafka.values("out") == [b"x"]
    assert kafka.records(TOPIC + ".dlq") == []
    assert consumer.waiting is None


async def test_the_end_of_the_service_abandons_a_batch_that_waits(kafka, consumer):
    async def handle(batch):
        consumer.end()
        raise Transient("redis is away")

    consumer.on_data(EVENTS, handle)
    kafka.append(TOPIC, b"x")
    with pytest.raises(Abandoned):
        await asyncio.wait_for(kafka.settle(), 5)
    assert kafka.values("out") == []


@both_forms
async def test_what_cannot_be_published_parks_its_cause(kafka, consumer, form):
    consumer.on_data(EVENTS, form(echo(kafka)))
    kafka.append(TOPIC, b"small", key=b"k")
    kafka.append(TOPIC, b"large", key=b"k")
    publish = kafka.publish

    async def refusing(messages, blocks):
        rows = ((v, c) for b in blocks for v, c in zip(b.values, b.causes, strict=True))
        for value, cause in (*((m.value, m.cause) for m in messages if m.topic == "out"), *rows):
            if value == b"large":
                raise Unpublishable(Message("out", b"k", value, cause=cause))
        await publish(messages, blocks)

    kafka.publish = refusing
    await kafka.settle()
    assert kafka.values("out") == [b"small"]
    assert dict(kafka.records(TOPIC + ".dlq")[0].headers)["dlq-class"] == b"unpublishable"


async def test_a_held_partition_is_read_again_from_there(kafka, consumer):
    known = []

    async def handle(batch):
        told = Told()
        for record in batch.records:
            if record.value == b"wait" and not known:
                told.held[Position(record.topic, record.partition)] = record.offset
                break
            told.messages.append(Message("out", b"k", record.value, cause=record))
        return told

    consumer.on_data(EVENTS, handle)
    for value in (b"a", b"wait", b"b"):
        kafka.append(TOPIC, value)
    await kafka.settle()
    assert kafka.values("out") == [b"a"]
    known.append(True)
    await kafka.settle()
    assert kafka.values("out") == [b"a", b"wait", b"b"]


async def test_effects_come_after_the_acknowledgement(kafka, consumer):
    order = []

    async def handle(batch):
        async def effect():
            order.append(("effect", len(kafka.values("out"))))

        message = Message("out", b"k", b"v", cause=batch.records[0])
        return Told(messages=[message], after=[effect])

    consumer.on_data(EVENTS, handle)
    kafka.append(TOPIC, b"x")
    kafka.failures = [Transient("away")]
    await kafka.settle()
    assert order == [("effect", 1)]


@both_forms
async def test_a_trace_goes_on_in_what_a_record_leads_to(kafka, consumer, form):
    consumer.on_data(EVENTS, form(echo(kafka)))
    kafka.append(TOPIC, b"traced", key=b"k", headers=[("traceparent", TRACEPARENT)])
    kafka.append(TOPIC, b"plain", key=b"k")
    await kafka.settle()
    traced, plain = kafka.records("out")
    assert dict(traced.headers)["traceparent"].split(b"-")[1] == TRACEPARENT.split(b"-")[1]
    assert list(plain.headers) == []


async def test_events_of_the_control_plane_are_validated_one_by_one(kafka, consumer):
    heard = []

    async def hear(event):
        heard.append(event.actor)
        return []

    consumer.on(TRAINING_REQUESTED, hear)
    at = datetime(2013, 1, 1, tzinfo=UTC)
    event = TrainingRequested.caused_by("c", model="m", at=at, actor="ann", reason="")
    kafka.tell(TRAINING_REQUESTED, event)
    kafka.append("test.training.requested.v1", json.dumps({"model": "m"}).encode())
    kafka.tell(TRAINING_REQUESTED, event.model_copy(update={"actor": "bob"}))
    await kafka.settle()
    assert set(heard) == {"ann", "bob"}
    assert len(kafka.records("test.training.requested.v1.dlq")) == 1


async def test_too_many_parked_in_a_row_halt_the_consumer(kafka, consumer):
    async def handle(batch):
        return Told(parked=[Parked(record, "poison", "all bad") for record in batch.records])

    consumer.on_data(EVENTS, handle)
    for _ in range(IN_A_ROW):
        kafka.append(TOPIC, b"x")
    await kafka.settle()
    assert consumer.halted is not None
    assert "all bad" in consumer.halted


async def test_what_fails_alone_stops_at_the_limit_and_leaves_the_rest_unread(kafka, consumer):
    async def handle(batch):
        raise ValueError("a bad deploy")

    consumer.on_data(EVENTS, handle)
    consumer.limit.in_a_row = 50
    for _ in range(200):
        kafka.append(TOPIC, b"x")
    await kafka.settle()
    assert "50 records parked in a row" in (consumer.halted or "")
    assert len(kafka.records(TOPIC + ".dlq")) == 50
    ((_, committed),) = kafka._consumers
    assert committed[Position(TOPIC, 0)] == 50

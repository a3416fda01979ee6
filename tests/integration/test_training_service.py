"""Training on a real Kafka: what was only buffered at a crash is read again, once."""

import asyncio
import contextlib
import json

import pytest
from deltalake import DeltaTable

from contracts.data import OUTCOMES
from contracts.registry import MODEL_DECLARED, ModelDeclared
from contracts.training import MODEL_TRAINED, TRAINING_DECIDED
from services.training.app import CONTROL, parts
from services.training.handlers.pulse import Pulse
from services.training.settings import Settings
from shared.kafka import Message, Producer, Table, Topics
from shared.kafka.names import data_topics, ensure
from shared.service import Service
from tests.doubles import telemetry
from tests.polling import until
from tests.service.training.world import MODEL, START, FakeLauncher, declaration, outcomes

DEADLINE_S = 30


class Around:
    """The world around the service: it declares, sends outcomes, and reads what is said."""

    def __init__(self, kafka, names, state):
        self.kafka, self.names, self.state = kafka, names, state
        self.producer, self.said = Producer(kafka), []
        self.tables = [
            Table(telemetry("reader"), topic, self.hear, kafka=kafka, names=names)
            for topic in (TRAINING_DECIDED, MODEL_TRAINED)
        ]

    def hear(self, event, _):
        self.said.append(event)

    async def start(self):
        await Topics(self.kafka, self.names, CONTROL).start()
        await ensure(self.kafka, data_topics(self.names, MODEL, partitions=2, replicas=1))
        for part in (self.producer, *self.tables):
            await part.start()
        declared = declaration()
        event = ModelDeclared.caused_by(
            "declare",
            model=MODEL,
            at=START,
            revision=1,
            digest=declared.digest(),
            declaration=declared,
        )
        topic = self.names.topic(MODEL_DECLARED)
        await self.publish(topic, [(MODEL, event.model_dump_json())])

    async def stop(self):
        for part in (*self.tables, self.producer):
            await part.stop()

    async def publish(self, topic, values):
        await self.producer.publish(
            [Message(topic, key.encode(), value.encode()) for key, value in values]
        )

    async def send(self, rows):
        topic = self.names.data(OUTCOMES, MODEL)
        await self.publish(topic, [(row["id"], json.dumps(row)) for row in rows])

    def stored(self):
        uri = str(self.state / "offline" / MODEL)
        if not DeltaTable.is_deltatable(uri):
            return []
        return sorted(DeltaTable(uri).to_pyarrow_table(columns=["id"])["id"].to_pylist())


@contextlib.asynccontextmanager
async def training(around, *, crash=False, flush_s=0.2):
    """Run the service; a crash is an end at which nothing more is written."""
    settings = Settings(
        kafka=around.kafka, prefix=around.names.prefix, state=around.state, flush_s=flush_s
    )
    made = parts(settings, telemetry("training"), launcher=FakeLauncher())
    service = Service(telemetry("training"), made)
    await asyncio.wait_for(service.run(), DEADLINE_S)
    try:
        yield next(part for part in made if isinstance(part, Pulse)).store
    finally:
        if crash:
            for part in made:
                if isinstance(part, Pulse):
                    part.store.flush = _nothing
        await service.stop()


async def _nothing(*_):
    """Write nothing."""


@pytest.fixture
async def around(real, names, tmp_path):
    world = Around(real.kafka.address, names, tmp_path)
    await world.start()
    yield world
    await world.stop()


def ids(count):
    return sorted(f"e{number}" for number in range(count))


async def test_a_crash_with_a_full_buffer_loses_and_doubles_nothing(around):
    rows = outcomes("binary", 600)
    async with training(around):
        await around.send(rows[:300])
        await until(lambda: around.stored() == ids(300))
        await until(lambda: len(around.said) == 2)
    decided, trained = around.said
    assert (decided.decision, trained.status) == ("started", "trained")

    async with training(around, crash=True, flush_s=3600) as store:
        await around.send([*rows[300:500], *rows[:10]])
        await until(lambda: len(store._table(MODEL).buffer) == 200)

    assert around.stored() == ids(300)
    async with training(around):
        await around.send(rows[500:])
        await until(lambda: around.stored() == ids(600))
    assert len({event.event_id for event in around.said}) == len(around.said)

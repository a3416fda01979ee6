"""The registry on a real Kafka: topics come to be, a restart changes nothing, a crash is healed."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts import DATA_TOPICS
from contracts.data import PREDICTIONS
from contracts.registry import (
    MODEL_DECLARED,
    REGISTRY_COMMANDS,
    REGISTRY_RECORDED,
    RELEASE_CHANGED,
)
from contracts.training import MODEL_TRAINED
from services.registry.adapters.topics import KafkaDataTopics
from services.registry.app import assembled
from services.registry.ports import TopicsRefused
from services.registry.settings import Settings
from shared.kafka import Message, Producer, Table
from shared.kafka.names import ensure
from shared.service import Service
from tests.doubles import telemetry
from tests.polling import until
from tests.service.registry.house import command, declare, evaluation, roll_back, trained

DEADLINE_S = 30


class Running:
    """A registry and one who reads what it says."""

    def __init__(self, kafka, names):
        self.kafka, self.names = kafka, names
        settings = Settings(
            kafka=kafka, prefix=names.prefix, partitions=2, lead_ms=500, instance="one"
        )
        parts, self.routes = assembled(settings, telemetry("registry"))
        self.ledger = self.routes[0].endpoint.__self__.ledger
        self.service = Service(telemetry("registry"), parts)
        self.producer = Producer(kafka)
        self.said = {
            topic.name: [] for topic in (REGISTRY_RECORDED, MODEL_DECLARED, RELEASE_CHANGED)
        }
        self.tables = [
            Table(
                telemetry("reader"),
                topic,
                lambda event, at, kept=self.said[topic.name]: kept.append((event, at)),
                kafka=kafka,
                names=names,
            )
            for topic in (REGISTRY_RECORDED, MODEL_DECLARED, RELEASE_CHANGED)
        ]

    async def start(self):
        await asyncio.wait_for(self.service.run(), DEADLINE_S)
        for part in (self.producer, *self.tables):
            await part.start()

    async def stop(self):
        for part in (*self.tables, self.producer):
            await part.stop()
        await self.service.stop()

    async def send(self, topic, event):
        value = event.model_dump_json().encode()
        await self.producer.publish([Message(self.names.topic(topic), event.model.encode(), value)])

    def events(self, topic):
        return [event for event, _ in self.said[topic.name]]


@contextlib.asynccontextmanager
async def registry(kafka, names):
    running = Running(kafka, names)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@pytest.fixture
def kafka(real):
    return real.kafka.address


async def test_from_declaration_to_rollback_and_over_a_restart(kafka, names):
    async with registry(kafka, names) as running:
        await running.send(REGISTRY_COMMANDS, declare())
        await until(lambda: running.events(RELEASE_CHANGED))
        await running.send(MODEL_TRAINED, trained("t1"))
        await until(lambda: len(running.events(RELEASE_CHANGED)) == 2)
        await running.send(MODEL_TRAINED, trained("t2", evaluation("0.0.1")))
        await until(lambda: len(running.events(RELEASE_CHANGED)) == 3)
        await running.send(REGISTRY_COMMANDS, roll_back("r"))
        await until(lambda: len(running.events(RELEASE_CHANGED)) == 4)
        state = running.ledger.book("flight-delay").state
        assert state.champion == "0.0.1"
        assert_times_are_the_brokers(running.said[RELEASE_CHANGED.name])
        await assert_topics(kafka, names)

    async with registry(kafka, names) as again:
        assert again.ledger.book("flight-delay").state == state
        # Delivered twice: one answer; and the log goes on where it was.
        await again.send(REGISTRY_COMMANDS, roll_back("r"))
        await again.send(REGISTRY_COMMANDS, command("train", {"kind": "train"}))
        await until(lambda: again.ledger.book("flight-delay").state.revision > state.revision)
        recorded = again.events(REGISTRY_RECORDED)
        assert [entry.seq for entry in recorded] == list(range(1, state.revision + 2))
        assert recorded[-1].fact.kind == "requested"
        assert len(again.events(RELEASE_CHANGED)) == 4


async def test_followers_that_were_lost_are_told_again_at_the_next_start(kafka, names):
    async with registry(kafka, names) as running:
        await running.send(REGISTRY_COMMANDS, declare())
        await until(lambda: running.events(RELEASE_CHANGED))
        await running.send(MODEL_TRAINED, trained("t1"))
        await until(lambda: len(running.events(RELEASE_CHANGED)) == 2)
        ids = [release.plan.plan_id for release in running.events(RELEASE_CHANGED)]

    await delete(kafka, names.topic(MODEL_DECLARED), names.topic(RELEASE_CHANGED))

    async with registry(kafka, names) as healed:
        await until(lambda: len(healed.events(RELEASE_CHANGED)) == 2)
        assert [release.plan.plan_id for release in healed.events(RELEASE_CHANGED)] == ids
        assert [declared.revision for declared in healed.events(MODEL_DECLARED)] == [1]


def assert_times_are_the_brokers(releases):
    """Each plan's history holds the append times of the records before, and the lead."""
    effects = [appended + release.lead_ms for release, appended in releases]
    last = releases[-1][0]
    told = [round(past.effective.timestamp() * 1000) for past in last.history]
    assert told == effects[:-1]


async def test_a_topic_that_forgets_too_soon_is_refused_with_the_fix(real, names):
    kafka, mine = real.kafka.address, names.data(PREDICTIONS, "m")
    short = NewTopic(mine, 2, 1, topic_configs={"retention.ms": "3600000"})
    await ensure(kafka, [short])
    topics, waits = KafkaDataTopics(kafka, names, 2, 1), timedelta(hours=60, minutes=30)
    with pytest.raises(TopicsRefused, match=f"{mine} keeps its records for 1h.*to 304200000 or"):
        await topics.create("m", waits)
    await delete(kafka, mine)
    await topics.create("m", waits)


async def assert_topics(kafka, names):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        wanted = {names.data(topic, "flight-delay") for topic in DATA_TOPICS}
        described = {topic["topic"]: topic for topic in await admin.describe_topics(sorted(wanted))}
        assert {len(described[name]["partitions"]) for name in wanted} == {2}
        recorded = names.topic(REGISTRY_RECORDED)
        (answer,) = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, recorded)]
        )
        config = {entry[0]: entry[1] for entry in answer.resources[0][4]}
        assert (config["cleanup.policy"], config["retention.ms"]) == ("delete", "-1")
        assert config["message.timestamp.type"] == "LogAppendTime"
    finally:
        await admin.close()


async def delete(kafka, *topics):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics(list(topics))

        async def gone():
            return not set(topics) & set(await admin.list_topics())

        await until(gone)
    finally:
        await admin.close()

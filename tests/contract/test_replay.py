"""Every consumer replays every example of every topic it hears: twice with the same result."""

import json

import pytest

from contracts import DataTopic
from contracts.documents import CARDS, HERE, name_of, reference
from shared.kafka import Consumer, Table
from tests.contract.subjects import SERVICES, SUBJECTS
from tests.contract.test_services import FOR_USERS
from tests.doubles import MemoryKafka

DAY_MS = 86_400_000


class Replay:
    """A service that has heard all examples once."""

    def __init__(self, service, folder):
        self.kafka = MemoryKafka()
        if service not in SUBJECTS:
            pytest.fail(f"tell tests/contract/subjects.py how to make {service} in memory")
        self.parts = SUBJECTS[service](self.kafka, folder)
        self.consumers = [part for part in self.parts if isinstance(part, Consumer)]
        self.tables = [part for part in self.parts if isinstance(part, Table)]
        self.given = {}

    async def run(self):
        self.kafka.attach(*self.parts)
        for card in CARDS:
            topic = self.real(card)
            if self.hears(topic):
                for path in sorted((HERE / "examples" / name_of(card)).glob("*.json")):
                    self.give(card, topic, path)
        self.given = {where: len(log) for where, log in self.kafka.logs.items()}
        # Plans of the examples have long been in force.
        self.kafka.now_ms += DAY_MS
        await self.assign()
        await self.kafka.settle()
        return self

    async def assign(self):
        """Give every consumer all partitions, and let it say where it reads from."""
        for table, positions in self.kafka._tables:
            self.kafka._feed(table, positions)
        for consumer, positions in self.kafka._consumers:
            routes = [route for route, _ in consumer.routes]
            own = [at for at in self.kafka.logs if any(r.fullmatch(at.topic) for r in routes)]
            for hook in consumer.positioning:
                positions.update(await hook(frozenset(own)))

    def real(self, card):
        names, model = self.kafka.names, reference().name
        return names.data(card, model) if isinstance(card, DataTopic) else names.topic(card)

    def hears(self, topic):
        routes = [route for consumer in self.consumers for route, _ in consumer.routes]
        return any(route.fullmatch(topic) for route in routes) or any(
            table.name == topic for table in self.tables
        )

    def give(self, card, topic, path):
        document = json.loads(path.read_text())
        key = document["id"] if isinstance(card, DataTopic) else document["model"]
        self.kafka.append(topic, json.dumps(document).encode(), key=key.encode())

    async def again(self):
        for consumer in self.consumers:
            await self.kafka.redeliver(consumer)

    @property
    def said(self):
        """Topic -> what the service has added, in order."""
        return {
            where.topic: [(record.key, record.value) for record in log[self.given.get(where, 0) :]]
            for where, log in sorted(self.kafka.logs.items())
            if log[self.given.get(where, 0) :]
        }


@pytest.fixture
def replay(tmp_path):
    async def of(service, copy=0):
        folder = tmp_path / str(copy)
        folder.mkdir()
        return await Replay(service, folder).run()

    return of


@pytest.mark.parametrize("service", SERVICES)
async def test_no_example_is_parked(service, replay):
    said = (await replay(service)).said
    assert [topic for topic in said if topic.endswith(".dlq")] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_the_same_examples_lead_to_the_same_messages(service, replay):
    assert (await replay(service, 1)).said == (await replay(service, 2)).said


@pytest.mark.parametrize("service", SERVICES)
async def test_heard_again_they_lead_to_nothing_new(service, replay):
    world = await replay(service)
    first = {topic: set(messages) for topic, messages in world.said.items()}
    await world.again()
    second = {topic: set(messages) for topic, messages in world.said.items()}
    assert second == first


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_to_its_own_topics_alone(service, replay):
    world = await replay(service)
    own = {
        world.real(card)
        for card in CARDS
        if card.producer == service or (service == FOR_USERS and card.producer == "user")
    }
    assert set(world.said) <= own


@pytest.mark.parametrize(
    ("service", "topics"),
    [
        ("registry", {"registry.recorded.v1", "model.declared.v1"}),
        ("serving", {"data.flight-delay.predictions.v1"}),
        (
            "validation",
            {"data.flight-delay.events.validated.v1", "data.flight-delay.labels.validated.v1"},
        ),
    ],
)
async def test_the_examples_are_good_enough_to_say_something(service, topics, replay):
    world = await replay(service)
    assert {world.kafka.names.prefix + topic for topic in topics} <= set(world.said)

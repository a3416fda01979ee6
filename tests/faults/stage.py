"""A planted service on topics of its own, with what is sent to it and what becomes of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.data import EVENTS, EVENTS_VALIDATED
from deploy.local.services import Service, ServiceProcess
from shared.kafka import Names
from shared.kafka.names import DEAD_LETTERS, data_topics, ensure
from tests.faults.finding import Finding
from tests.faults.history import History
from tests.faults.observer import Observer, Record, by_id, read
from tests.faults.world import World, within

PROGRAM = ("uvicorn", "tests.faults.planted:build", "--factory", "--log-level", "warning")
PLANTED = Service("planted", PROGRAM, 0)
MODEL = "m"
NUMBERS = count(1)


class Stage:
    """A process with a planted handler, supervised like a service.

    Args:
        world: where it runs.
        names: of its own topics.
        process: started and ready.

    """

    def __init__(self, world: World, names: Names, process: ServiceProcess) -> None:
        self.world, self.names, self.process = world, names, process
        self.history = History()
        self.events = names.data(EVENTS, MODEL)
        self.dead = self.events + DEAD_LETTERS
        kinds = {names.data(EVENTS_VALIDATED, MODEL): "events.validated", self.dead: "dlq"}
        self.observer = Observer(world.kafka.address, kinds, self.history, by_id)

    async def send(
        self, records: Sequence[Mapping[str, Any]], must: str = "events.validated", keys: int = 8
    ) -> None:
        """Publish records and wait for the acknowledgements."""
        producer = AIOKafkaProducer(bootstrap_servers=self.world.kafka.address, acks="all")
        await producer.start()
        acks = []
        for number, record in enumerate(records):
            key, value = b"key-%d" % (number % keys), json.dumps(record).encode()
            sent = self.history.send(
                record["id"], at=time.time(), must=(must,), key=key, ordered=True, content=value
            )
            acks.append((sent, await producer.send(self.events, value, key=key)))
        for sent, ack in acks:
            await ack
            sent.fate = "ok"
        await producer.stop()

    async def settle(self, seconds: float = 60) -> bool:
        """Wait until nothing is missing."""
        return await within(seconds, lambda: not self.history.missing(), every=0.1)

    async def says(self, word: str, seconds: float = 60) -> bool:
        """Wait until the service says, with this word, why it cannot work."""
        async with httpx.AsyncClient(base_url=self.process.url, timeout=2) as http:

            async def said() -> bool:
                try:
                    return word in str((await http.get("/readyz")).json()["reason"])
                except httpx.HTTPError:
                    return False

            return await within(seconds, said, every=0.1)

    async def letters(self) -> dict[str, dict[str, str]]:
        """Read the headers of all dead letters, by the id in the record."""
        records: list[Record] = await read(self.world.kafka.address, self.dead)
        return {
            json.loads(record.value or b"")["id"]: {n: v.decode() for n, v in record.headers}
            for record in records
        }

    async def committed(self) -> int:
        """Sum up what the group has committed; a broker just back may know of no broker yet."""
        found: list[int] = []

        async def answered() -> bool:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.world.kafka.address)
            with contextlib.suppress(KafkaError):
                try:
                    await admin.start()
                    offsets = await admin.list_consumer_group_offsets(self.names.group("planted"))
                    found.append(sum(max(0, one.offset) for one in offsets.values()))
                finally:
                    await admin.close()
            return bool(found)

        assert await within(10, answered, every=0.1), "Kafka does not say what is committed"
        return found[-1]

    async def has_committed(self, number: int) -> bool:
        """Tell whether the group has committed so much."""
        return await self.committed() >= number

    async def deployed(self, **environment: str) -> None:
        """Replace the process by one with another environment."""
        self.world.release((self.process.name,))
        self.process.stop()
        self.process = _process(self.world, self.names, environment)
        await _started(self.world, self.process)

    def finding(self, fault: str, bound: str, checks: Mapping[str, bool], **more: Any) -> Finding:
        """Judge the history, and what else was promised."""
        sent = len(self.history.sends)
        return Finding.of(fault, bound, self.history.verdict(), checks, sent=sent, **more)


@contextlib.asynccontextmanager
async def stage(world: World, **environment: str) -> AsyncIterator[Stage]:
    """Have a planted service for the body."""
    names = Names(f"planted-{next(NUMBERS)}.")
    await world.until_ready(world.kafka)
    await ensure(world.kafka.address, data_topics(names, MODEL, 4, 1))
    process = _process(world, names, environment)
    await _started(world, process)
    one = Stage(world, names, process)
    try:
        async with one.observer:
            yield one
    finally:
        world.release((one.process.name,))
        one.process.stop()


def _process(world: World, names: Names, environment: Mapping[str, str]) -> ServiceProcess:
    told = {"DRIFTWHEEL_PREFIX": names.prefix, **environment}
    return world.added(PLANTED, told, f"{names.prefix}{next(NUMBERS)}")


async def _started(world: World, process: ServiceProcess) -> None:
    process.start()
    await world.until_ready(process)
    world.keep(process)

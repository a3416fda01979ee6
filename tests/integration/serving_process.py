"""Serving as a process of its own, with models told to it over a real Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from aiokafka import AIOKafkaConsumer

from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from deploy.local.ports import Ports
from deploy.local.process import CHECKOUT
from shared.kafka import Message, Names, Producer, Record
from shared.kafka.names import control_topics, data_topics, ensure
from tests.doubles import MemoryKafka
from tests.service.serving.world import MODEL, World


class ServingProcess:
    """`python -m services.serving` and its address."""

    def __init__(self, kafka: str, names: Names, state: Path, **knobs: object) -> None:
        self.port = Ports().any()
        self.url = f"http://127.0.0.1:{self.port}"
        options = {"kafka": kafka, "prefix": names.prefix, "state": state, **knobs}
        environment = {f"DRIFTWHEEL_{name.upper()}": str(value) for name, value in options.items()}
        self.log = (state / "serving.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.serving", "--port", str(self.port)],
            env={**os.environ, **environment},
            cwd=CHECKOUT,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def wait_until_ready(self, path: str, seconds: float = 30) -> None:
        """Ask until a path answers 200."""
        deadline, last = time.monotonic() + seconds, ""
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                reply = httpx.get(self.url + path)
                if reply.status_code == 200:
                    return
                last = reply.text
            except httpx.TransportError:
                pass
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
        raise AssertionError(f"{last}\n{Path(self.log.name).read_text()}")

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def serving_process(
    kafka: str, names: Names, state: Path, **knobs: object
) -> Iterator[ServingProcess]:
    """Run it as long as the block does."""
    running = ServingProcess(kafka, names, state, **knobs)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        running.log.close()


async def told(kafka: str, names: Names, state: Path, *steps: Callable[[World], object]) -> None:
    """Make the topics and publish what the registry would; the steps are done in memory."""
    await ensure(kafka, control_topics(names, (MODEL_DECLARED, RELEASE_CHANGED), 1))
    await ensure(kafka, data_topics(names, MODEL, 4, 1))
    world = World(state, kafka=MemoryKafka(names))
    for step in steps:
        step(world)
    publisher = Producer(kafka)
    await publisher.start()
    for topic in (MODEL_DECLARED, RELEASE_CHANGED):
        records = world.kafka.records(names.topic(topic))
        await publisher.publish([Message(r.topic, r.key, r.value) for r in records])
    await publisher.stop()


async def read(kafka: str, topic: str, number: int) -> list[Record]:
    """Read a topic from its beginning until there are so many records."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Record] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < number:
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    found += batch
        return found
    finally:
        await consumer.stop()

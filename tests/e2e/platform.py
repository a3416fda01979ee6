"""The whole platform as processes, for tests that need all of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

PREFIX = "driftwheel."


@dataclass
class Platform:
    """A running stack in a folder of its own."""

    folder: Path

    @property
    def endpoints(self) -> dict[str, Any]:
        return json.loads((self.folder / "endpoints.json").read_text())

    @property
    def kafka(self) -> str:
        return self.endpoints["kafka"]

    def url(self, service: str) -> str:
        return self.endpoints["services"][service]

    def kill(self, name: str) -> None:
        """SIGKILL a process of the stack; the supervisor starts it again."""
        psutil.Process(self.endpoints["pids"][name]).kill()

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    async def records(self, topic: str) -> list[Any]:
        """Read a topic from its beginning to its present end."""
        consumer = AIOKafkaConsumer(
            PREFIX + topic, bootstrap_servers=self.kafka, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            found = []
            ends = await consumer.end_offsets(consumer.assignment())
            while any([await consumer.position(p) < end for p, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()

    async def values(self, topic: str) -> list[Any]:
        return [json.loads(record.value) for record in await self.records(topic)]

    @contextlib.asynccontextmanager
    async def producer(self, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka, acks="all", max_request_size=4_000_000, **options
        )
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()


@contextlib.contextmanager
def running_platform(folder: Path) -> Iterator[Platform]:
    """Start the stack in `folder` on free ports; stop it at the end."""
    _local("up", "--detach", "--folder", str(folder))
    try:
        yield Platform(folder)
    finally:
        _local("down", "--folder", str(folder))


async def eventually(
    what: str, check: Callable[[], Awaitable[Any]], seconds: float = 60, every: float = 0.2
) -> Any:
    """Poll until `check` answers something true; fail with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := await check():
            return found
        await asyncio.sleep(every)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def by_id(records: list[Any]) -> dict[str, list[bytes]]:
    """Group the values of JSON records by their id."""
    grouped: dict[str, list[bytes]] = defaultdict(list)
    for record in records:
        grouped[json.loads(record.value)["id"]].append(record.value)
    return grouped


def _local(*arguments: str) -> None:
    command = [sys.executable, "-m", "deploy.local", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr

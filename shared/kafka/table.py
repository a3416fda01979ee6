"""A topic read as a table: from the beginning, by every copy of a service, without a group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts import Event, Topic
from shared.errors import Transient
from shared.kafka.names import Names
from shared.telemetry import Telemetry

E = TypeVar("E", bound=Event)


class Table(Generic[E]):
    """Follows a topic and hands every event, with its append time in ms, to `apply`.

    `start` returns when all that stood in the topic has been applied.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        topic: Topic[E],
        apply: Callable[[E, int], None],
        *,
        kafka: str,
        names: Names,
    ) -> None:
        self.telemetry, self.topic, self.apply = telemetry, topic, apply
        self.kafka, self.name = kafka, names.topic(topic)
        self._consumer: AIOKafkaConsumer | None = None
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read to the end, then follow."""
        consumer = AIOKafkaConsumer(
            self.name,
            bootstrap_servers=self.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            metadata_max_age_ms=10_000,
        )
        self._consumer = consumer
        await consumer.start()
        ends = await consumer.end_offsets(consumer.assignment())
        if not ends:
            raise Transient(f"topic {self.name} does not exist yet")
        while any([await consumer.position(where) < end for where, end in ends.items()]):
            await self._read()
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
        if self._consumer is not None:
            await self._consumer.stop()

    def unready(self) -> str | None:
        """Say why the table cannot be relied on; None when it is current."""
        if self._following is None:
            return f"reading {self.name}"
        if self._following.done():
            return f"no longer following {self.name}: {self._following.exception()!r}"
        return None

    def dead(self) -> str | None:
        """Say that it follows no longer; what it holds grows old."""
        ended = self._following is not None and self._following.done()
        return self.unready() if ended else None

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except KafkaError as error:
                self.telemetry.log.warning("%s cannot be read now: %r", self.name, error)
                await asyncio.sleep(1)

    async def _read(self) -> None:
        assert self._consumer is not None
        batches: dict[Any, list[Any]] = await self._consumer.getmany(timeout_ms=200)
        for records in batches.values():
            for record in records:
                self.take(record)

    def take(self, record: Any) -> None:
        """Apply one record of the topic; a broken one is logged and counted, not applied."""
        if record.value is None:
            return
        try:
            event = self.topic.message.model_validate_json(record.value)
        except ValueError as error:
            self.telemetry.count("records_parked", "poison")
            self.telemetry.log.error("%s@%d is not read: %s", self.name, record.offset, error)
            return
        self.apply(event, record.timestamp)

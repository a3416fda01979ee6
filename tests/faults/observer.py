"""Follows topics and writes down every record as an effect."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from tests.faults.history import Effect, History
from tests.faults.load import label_name, label_of

Record = ConsumerRecord[bytes | None, bytes | None]
INJECTED = "bad"  # the keys of records that a scenario has put into a topic say so, and into which

Reading = Callable[[str, Record], Iterable[Effect]]


class Observer:
    """Reads topics from their beginning, without a group, as long as the body runs.

    Args:
        kafka: bootstrap address.
        kinds: real topic name -> kind of effect.
        history: told of every effect.
        reading: what a record of a kind says.

    """

    def __init__(
        self, kafka: str, kinds: Mapping[str, str], history: History, reading: Reading
    ) -> None:
        self.kinds, self.history, self.reading = kinds, history, reading
        self._consumer = AIOKafkaConsumer(
            *kinds,
            bootstrap_servers=kafka,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            # It must not compete with what it watches; times are the broker's.
            fetch_min_bytes=65_536,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=8_000_000,
        )
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        assert self._following is not None
        self._following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._following
        await self._consumer.stop()

    async def _follow(self) -> None:
        while True:
            batches: dict[Any, list[Record]] = {}
            with contextlib.suppress(KafkaError):
                batches = await self._consumer.getmany(timeout_ms=100)
            for where, records in batches.items():
                for record in records:
                    for effect in self.reading(self.kinds[where.topic], record):
                        self.history.saw(effect)
            await asyncio.sleep(0)


def by_id(kind: str, record: Record) -> list[Effect]:
    """Read a record of the data plane: labels are named after their event."""
    said = json.loads(record.value or b"")
    if kind == "events":
        # Ingest gives records without an entity the id as key; other clients have written the rest.
        mine = (record.key or b"").decode() == said["id"]
        return [_effect("ingested", said["id"], record, record.value)] if mine else []
    name = label_name(said["id"]) if kind.startswith("label") or "value" in said else said["id"]
    effects = [_effect(kind, name, record, record.value, str(said.get("label_time", "")))]
    if kind == "outcomes" and said["status"] != "unlabelled":
        label = label_of(said["id"], said["label_time"], said["label"])
        effects.append(_effect("label", label_name(said["id"]), record, label))
    return effects


def watched(kind: str, record: Record) -> list[Effect]:
    """Read any topic of a model: by id, and by key what a scenario has put somewhere."""
    key = (record.key or b"").decode()
    if key.startswith(f"{INJECTED} {kind} "):
        return []  # put there by us
    if key.startswith(INJECTED):
        return [_effect(kind, key, record, record.value)]
    return by_id(kind, record)


def _effect(
    kind: str, name: str, record: Record, content: bytes | None, revision: str = ""
) -> Effect:
    place = (f"{kind} of {record.topic}", record.partition, record.offset)
    return Effect(kind, name, place, content, record.timestamp / 1000, revision)


async def read(kafka: str, topic: str) -> list[Record]:
    """Read a topic from its beginning to its present end."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[Record] = []
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(where) < end for where, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=100)).values():
                found += batch
        return found
    finally:
        await consumer.stop()

"""Events and labels at a steady rate, from Kafka clients and through ingest."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from tests.faults.history import History, Sent

TICK_S = 0.05
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
KEYS = [b"entity-%d" % number for number in range(40)]
EVERY_BY_HTTP = 5
LABEL_BEHIND = 20

EVENT_EFFECTS = ("events.validated", "predictions")
MATURED_EFFECTS = (*EVENT_EFFECTS, "outcomes", "store")
LABEL_EFFECTS = ("labels.validated", "label")


def declaration(
    model: str, *, horizon: str = "30s", lateness: str = "30s", window: str = "10m"
) -> dict[str, Any]:
    """Declare a model that always answers its prior."""
    return {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": model},
        "spec": {
            "task": "binary",
            "features": {
                "level": {"type": "int", "min": 0, "max": 99},
                "place": {"type": "category", "categories": ["a", "b", "c"]},
            },
            "label": {"name": "late", "horizon": horizon, "lateness": lateness},
            "prior": 0.25,
            "drift": {"window": window},
            "retraining": {"min_labels": 1_000_000_000, "max_age": "52w"},
        },
    }


def event_of(name: str, number: int, at: datetime) -> bytes:
    """Write an event."""
    features = {"level": number % 100, "place": "abc"[number % 3]}
    return json.dumps({"id": name, "time": spelled(at), "features": features}).encode()


def label_of(name: str, at: str, value: bool) -> bytes:
    """Write the label of an event."""
    return json.dumps({"id": name, "time": at, "value": value}).encode()


def spelled(at: datetime) -> str:
    """Write a time as users do."""
    return at.isoformat().replace("+00:00", "Z")


def label_name(event: str) -> str:
    """Name the label of an event in the history."""
    return f"label of {event}"


class Load:
    """Sends `rate` events a second, each with its label shortly after, until it is closed.

    From one event to the next a second of event time goes by. One in five goes through ingest,
    where the id is the key; the others go to Kafka under the keys of 40 entities. The rate does not
    give way: what cannot be sent now waits, as users' does.

    Args:
        kafka: bootstrap address.
        ingest: address of the ingest service.
        events: real name of the model's topic of events.
        model: whose events.
        history: told of every attempt.
        rate: events a second.

    """

    def __init__(
        self, kafka: str, ingest: str, events: str, model: str, history: History, rate: float
    ) -> None:
        self.kafka, self.model, self.history, self.rate = kafka, model, history, rate
        self.topics = {"events": events, "labels": events.replace(".events.", ".labels.")}
        self.number = 0
        self.http = httpx.AsyncClient(base_url=ingest, timeout=10)
        self.waiting: dict[str, list[tuple[Sent, bytes]]] = {"events": [], "labels": []}
        self._producer: AIOKafkaProducer | None = None
        self._acks: set[asyncio.Task[None]] = set()
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to send."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka,
            acks="all",
            enable_idempotence=True,
            max_batch_size=1_000_000,
            metadata_max_age_ms=10_000,
        )
        await self._producer.start()
        self._running = [asyncio.create_task(self._tick()), asyncio.create_task(self._post())]

    async def finish(self) -> None:
        """Begin nothing new; send the labels that are due, and all that waits for ingest."""
        ticking, posting = self._running
        await _ended(ticking)
        for number in range(max(0, self.number - LABEL_BEHIND), self.number):
            await self._label(number)
        while any(self.waiting.values()) and not posting.done():
            await asyncio.sleep(TICK_S)
        await _ended(posting)

    async def close(self) -> None:
        """Send records of a later time, which let all others mature; they never mature themselves.

        To be called when all others are predicted: a partition's outcomes come in its log's order.
        """
        late = BEGIN + timedelta(seconds=self.number, hours=1)
        for number, key in enumerate(KEYS):
            name = f"{self.model}-last-{number}"
            may = (*MATURED_EFFECTS, *LABEL_EFFECTS)
            sent = self._note(name, key, event_of(name, number, late), EVENT_EFFECTS, may)
            await self._to_kafka("events", sent)
            value = label_of(name, spelled(late + timedelta(seconds=10)), True)
            sent = self._note(label_name(name), key, value, ("labels.validated",), may)
            await self._to_kafka("labels", sent)

    async def stop(self) -> None:
        """Disconnect; what has no answer by now stays unknown."""
        for task in (*self._running, *self._acks):
            await _ended(task)
        await self.http.aclose()
        if self._producer is not None:
            with contextlib.suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._producer.stop(), 5)

    async def burst(self, events: int) -> None:
        """Send many at once, on top of the rate."""
        for _ in range(events):
            await self._next()

    async def _tick(self) -> None:
        began, sent = time.monotonic(), 0
        while True:
            while sent < (time.monotonic() - began) * self.rate:
                await self._next()
                sent += 1
            await asyncio.sleep(TICK_S)

    async def _next(self) -> None:
        number, self.number = self.number, self.number + 1
        name, at = f"{self.model}-{number}", BEGIN + timedelta(seconds=number)
        value = event_of(name, number, at)
        await self._send("events", number, name, value, MATURED_EFFECTS, name)
        if number >= LABEL_BEHIND:
            await self._label(number - LABEL_BEHIND)

    async def _label(self, number: int) -> None:
        event, at = f"{self.model}-{number}", BEGIN + timedelta(seconds=number + 10)
        value = label_of(event, spelled(at), number % 3 == 0)
        await self._send("labels", number, label_name(event), value, LABEL_EFFECTS, event)

    async def _send(
        self, stream: str, number: int, name: str, value: bytes, must: tuple[str, ...], event: str
    ) -> None:
        if number % EVERY_BY_HTTP == 0:
            sent = self._note(name, event.encode(), value, must, (), ordered=False)
            self.waiting[stream].append((sent, value))
        else:
            sent = self._note(name, KEYS[number % len(KEYS)], value, must, ())
            await self._to_kafka(stream, sent)

    def _note(
        self,
        name: str,
        key: bytes,
        value: bytes,
        must: tuple[str, ...],
        may: tuple[str, ...],
        ordered: bool = True,
    ) -> Sent:
        return self.history.send(
            name, at=time.time(), must=must, may=(*may, "ingested"), key=key, ordered=ordered,
            content=value,
        )  # fmt: skip

    async def _to_kafka(self, stream: str, sent: Sent) -> None:
        assert self._producer is not None
        try:
            ack = await self._producer.send(self.topics[stream], sent.content, key=sent.key)
        except KafkaTimeoutError:
            sent.fate = "failed"  # there was no room for it, so it never left
            return
        task = asyncio.create_task(_answered(ack, sent))
        self._acks.add(task)
        task.add_done_callback(self._acks.discard)

    async def _post(self) -> None:
        """Post what waits, as often as it takes; a copy of an attempt without answer is known."""
        while True:
            for stream in self.waiting:
                while chunk := self.waiting[stream][:500]:
                    if not await self._posted(stream, chunk):
                        break
                    del self.waiting[stream][: len(chunk)]
            await asyncio.sleep(TICK_S)

    async def _posted(self, stream: str, chunk: list[tuple[Sent, bytes]]) -> bool:
        body = b"\n".join(value for _, value in chunk)
        headers = {"content-type": "application/x-ndjson"}
        try:
            answer = await self.http.post(f"/{stream}/{self.model}", content=body, headers=headers)
        except httpx.HTTPError:
            return False
        if answer.status_code != 202:
            return False
        for sent, _ in chunk:
            sent.fate = "ok"
        return True


async def _answered(ack: Any, sent: Sent) -> None:
    with contextlib.suppress(KafkaError):
        await ack
        sent.fate = "ok"


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task; if it has failed before, so does this."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

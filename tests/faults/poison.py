"""Records that no one can read, mixed in everywhere: set aside byte for byte, and nothing else."""

from __future__ import annotations

import asyncio
import time
from itertools import cycle, product

from aiokafka import AIOKafkaProducer

from contracts.base import DataTopic
from contracts.data import (
    EVENTS,
    EVENTS_VALIDATED,
    LABELS,
    LABELS_VALIDATED,
    OUTCOMES,
    PREDICTIONS,
)
from tests.faults.finding import Finding
from tests.faults.kills import flowing
from tests.faults.observer import INJECTED
from tests.faults.trial import RATE, Trial, trial
from tests.faults.world import World

BODIES = {
    "garbage": b"\xff\xfe\x00 garbage",
    "empty": b"",
    "truncated": b'{"id": "x", "time": "2024-01-01T00:0',
    "no-object": b"[1, 2]",
    "no-number": b'{"id": "x", "time": "2024-01-01T00:00:00Z", "features": {"level": NaN}}',
}
HEADERS: dict[str, list[tuple[str, bytes | None]]] = {
    "plain": [],
    "null": [("null", None)],
    "latin": [("latin", b"\xe9")],
}
SHARE = 0.02
# What users send is quarantined by validation; what our own services hear goes to dead letters.
PLACES = {
    EVENTS: "events.quarantined",
    LABELS: "events.quarantined",
    EVENTS_VALIDATED: "dlq",
    LABELS_VALIDATED: "dlq",
    PREDICTIONS: "dlq",
    OUTCOMES: "dlq",
}


async def mixed_in(world: World, seconds: float = 10) -> Finding:
    """Send every body under every header, on every topic that a service hears, into the load."""
    number = max(len(BODIES) * len(HEADERS), int(RATE * seconds * SHARE))
    async with trial(world, "poison") as one:
        await flowing(one)
        at = time.time()
        for topic, kind in PLACES.items():
            await _poisoned(one, topic, kind, number, seconds / len(PLACES))
        await one.settle()
        halted = [p.name for p in world.stack.services if not await world.ready_again(p, 5)]
        deaths = world.deaths_since(at)
        return one.finding(
            f"poison: {len(BODIES)} body kinds x {len(HEADERS)} header kinds, {SHARE:.0%} mixed in",
            "dead letters exactly the bad ones, byte-identical",
            {f"nothing halted ({halted}) or died": not halted and not deaths},
            detail={"bad": number * len(PLACES)},
        )


async def _poisoned(one: Trial, topic: DataTopic, kind: str, number: int, seconds: float) -> None:
    """Send `number` bad records to a topic, spread over some seconds."""
    producer = AIOKafkaProducer(bootstrap_servers=one.world.kafka.address, acks="all")
    await producer.start()
    try:
        kinds = cycle(product(BODIES.values(), HEADERS.values()))
        for index, (body, headers) in zip(range(number), kinds, strict=False):
            name = f"{INJECTED} {topic.kind} {index}"
            sent = one.history.send(name, at=time.time(), must=(kind,), content=body)
            real = one.world.names.data(topic, one.model)
            await producer.send_and_wait(real, body, key=name.encode(), headers=headers)
            sent.fate = "ok"
            await asyncio.sleep(seconds / number)
    finally:
        await producer.stop()

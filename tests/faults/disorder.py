"""The same stream twice, tidy and in disorder: the final state is the same."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts.data import EVENTS, LABELS
from contracts.performance import PERFORMANCE_MEASURED
from tests.faults.finding import Finding
from tests.faults.load import (
    BEGIN,
    EVENT_EFFECTS,
    KEYS,
    LABEL_EFFECTS,
    MATURED_EFFECTS,
    event_of,
    label_name,
    label_of,
    spelled,
)
from tests.faults.observer import INJECTED, read
from tests.faults.trial import Trial, trial
from tests.faults.world import World, within

DECLARED = {"horizon": "2h", "lateness": "26h", "window": "1d"}
EVENTS_SENT, SPAN = 1500, timedelta(days=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COPIES, LATE, AHEAD, FUTURE = 3, 0.1, 0.02, 20
CLOSE_S = 30.0
CLOSED = SPAN.days - 2  # the last ones may still get records, for lateness is longer than a day

State = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record, and when it arrives in event time."""

    at: datetime
    topic: str
    name: str
    key: bytes
    content: bytes
    must: tuple[str, ...]


async def disorder(world: World, seed: int = 7) -> Finding:
    """Every record three times, shuffled within an hour, 10 % a day late, 2 % an hour early.

    On top, some events claim a time one hour after their arrival: they are refused.
    """
    tidy = sorted(_stream(), key=lambda delivery: delivery.at)
    storm = sorted(_stormy(tidy, random.Random(seed)), key=lambda delivery: delivery.at)
    async with (
        trial(world, "tidy", rate=0, **DECLARED) as clean,
        trial(world, "storm", rate=0, **DECLARED) as stormy,
    ):
        await _delivered(clean, tidy)
        await _delivered(stormy, [*storm, *_from_the_future()])
        for one in (clean, stormy):
            await _delivered(one, _last())
            await one.until_settled()
        same_windows = await within(CLOSE_S, lambda: _windows_agree(clean, stormy), every=0.5)
        expected, found = _finals(clean), _finals(stormy)
        other = [name for name in expected if found.get(name) != expected[name]]
        return stormy.finding(
            "duplicates x3, shuffled within an hour, 10 % late by a day, 1 h in the future",
            "final state equals that of the clean stream",
            {
                f"every outcome is the same ({len(other)} are not: {other[:3]})": not other,
                f"there is one for each of {EVENTS_SENT}": len(found) == EVENTS_SENT,
                "every window measures the same": same_windows,
                "the clean stream is whole": not list(clean.history.verdict().complaints()),
            },
            detail={"deliveries": len(storm)},
        )


def _stream() -> Iterator[Delivery]:
    for number in range(EVENTS_SENT):
        name, key = f"e-{number}", KEYS[number % len(KEYS)]
        at = BEGIN + number * SPAN / EVENTS_SENT
        at = at.replace(microsecond=0)
        event, label = (
            event_of(name, number, at),
            label_of(name, spelled(at + HOUR), not number % 3),
        )
        yield Delivery(at, "events", name, key, event, MATURED_EFFECTS)
        yield Delivery(at + HOUR, "labels", label_name(name), key, label, LABEL_EFFECTS)


def _stormy(tidy: Sequence[Delivery], draw: random.Random) -> Iterator[Delivery]:
    for one in tidy:
        lot = draw.random()
        shift = DAY if lot < LATE else -HOUR if lot < LATE + AHEAD else timedelta(0)
        for _ in range(COPIES):
            at = one.at + shift + draw.uniform(-0.5, 0.5) * HOUR
            yield Delivery(at, one.topic, one.name, one.key, one.content, one.must)


def _from_the_future() -> Iterator[Delivery]:
    for number in range(FUTURE):
        name, at = f"{INJECTED} events {number}", datetime.now(UTC) + HOUR
        content = event_of(f"future-{number}", number, at)
        yield Delivery(at, "events", name, name.encode(), content, ("events.quarantined",))


def _last() -> Iterator[Delivery]:
    """Let everything mature, on every partition."""
    late = BEGIN + SPAN + 4 * DAY
    for number, key in enumerate(KEYS):
        name = f"last-{number}"
        yield Delivery(late, "events", name, key, event_of(name, number, late), EVENT_EFFECTS)
        label = label_of(name, spelled(late + HOUR), True)
        yield Delivery(late, "labels", label_name(name), key, label, ("labels.validated",))


async def _delivered(one: Trial, deliveries: Sequence[Delivery] | Iterator[Delivery]) -> None:
    names = {topic.kind: one.world.names.data(topic, one.model) for topic in (EVENTS, LABELS)}
    producer = AIOKafkaProducer(bootstrap_servers=one.world.kafka.address, acks="all")
    await producer.start()
    acks = []
    for each in deliveries:
        sent = one.history.send(each.name, at=time.time(), must=each.must, content=each.content)
        acks.append((sent, await producer.send(names[each.topic], each.content, key=each.key)))
    for sent, ack in acks:
        await ack
        sent.fate = "ok"
    await producer.stop()


def _finals(one: Trial) -> State:
    """Collect the last word on every event, without what names the model."""
    finals = {}
    for name, effects in one.history.effects["outcomes"].items():
        said = json.loads(max(effects, key=lambda effect: effect.revision).content or b"")
        finals[name] = {field: value for field, value in said.items() if field != "model"}
    return finals


async def _windows_agree(clean: Trial, stormy: Trial) -> bool:
    expected, found = await _windows(clean), await _windows(stormy)
    return len(expected) >= CLOSED and found == expected


async def _windows(one: Trial) -> dict[str, tuple[int, int, float]]:
    """Read what was measured last of every window with outcomes."""
    topic = one.world.names.topic(PERFORMANCE_MEASURED)
    told = [
        json.loads(record.value or b"") for record in await read(one.world.kafka.address, topic)
    ]
    return {
        event["window"]["start"]: (event["n"], event["labelled"], round(event["loss"], 9))
        for event in told
        if event["model"] == one.model and event["n"]
    }

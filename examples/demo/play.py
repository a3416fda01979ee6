"""Publishes a replay at so many days a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from driftwheel import Client
from driftwheel.messages import Record
from examples.stream import Day, Message

SLOTS = 24


@dataclass(slots=True)
class Progress:
    """How far the replay is."""

    date: date | None = None
    published: int = 0
    behind_s: float = 0.0
    done: bool = False


async def play(
    client: Client, model: str, days: Iterator[Day], speed: float, progress: Progress
) -> None:
    """Publish every day in `1 / speed` seconds, spread as its records are; wait for every ack.

    Args:
        client: of the deployment.
        model: whose topics.
        days: the replay.
        speed: simulated days per second; 0 as fast as it goes.
        progress: told all the time.
    """
    started = time.monotonic()
    number = 0
    async for number, day in _ahead(days):
        progress.date = day.date
        records = day.merged()
        size = -(-len(records) // SLOTS) or 1
        for slot in range(SLOTS):
            await _pace(started, (number - 1 + slot / SLOTS) / speed if speed else 0, progress)
            part = records[slot * size : (slot + 1) * size]
            await client.publish(model, _of("events", part))
            await client.publish_labels(model, _of("labels", part))
            progress.published += len(part)
    await _pace(started, number / speed if speed else 0, progress)
    progress.done = True


def _of(kind: str, messages: list[Message]) -> list[Record]:
    return [Record(message.value, message.key) for message in messages if message.kind == kind]


async def _pace(started: float, due: float, progress: Progress) -> None:
    early = started + due - time.monotonic()
    progress.behind_s = max(0.0, -early) if due else 0.0
    if early > 0:
        await asyncio.sleep(early)


async def _ahead(days: Iterator[Day]) -> AsyncIterator[tuple[int, Day]]:
    """Count the days, each computed in a thread so that the loop goes on."""
    number = 0
    while chunk := await asyncio.to_thread(lambda: list(islice(days, 1))):
        for day in chunk:
            number += 1
            yield number, day

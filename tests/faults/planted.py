"""A service that does what its records say: raise, abort, sleep, answer too much.

It is built, started and stopped as ours are; only the handler is planted. A record is JSON with an
`id` and, where it is to misbehave, `does`: raise (the first `times` times), grow, sleep, abort.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from contracts.data import EVENTS, EVENTS_VALIDATED
from shared.kafka import Batch, Consumer, CrashLedger, Message, Names, Producer, Told
from shared.kafka.producer import DEADLINE_S
from shared.service import application
from shared.telemetry import set_up

BROKEN, DEADLINE = "PLANTED_BROKEN", "PLANTED_DEADLINE_S"
TOO_LARGE = 3_000_000


def build() -> Starlette:
    """Make the application; the environment says whether the deploy is a bad one."""
    telemetry = set_up("planted")
    kafka, names = os.environ["DRIFTWHEEL_KAFKA"], Names(os.environ["DRIFTWHEEL_PREFIX"])
    publisher = Producer(kafka, telemetry, float(os.environ.get(DEADLINE, DEADLINE_S)))
    instance = os.environ["DRIFTWHEEL_INSTANCE"]
    folder = Path(os.environ["DRIFTWHEEL_STATE"]) / names.prefix
    ledger = CrashLedger(folder, telemetry.service, instance)
    consumer = Consumer(
        telemetry,
        "planted",
        kafka=kafka,
        names=names,
        publisher=publisher,
        instance=instance,
        ledger=ledger,
    )
    consumer.on_data(EVENTS, Obedient(names, broken=BROKEN in os.environ).handle)
    return application(telemetry, [publisher, ledger, consumer])


class Obedient:
    """The handler."""

    def __init__(self, names: Names, *, broken: bool) -> None:
        self.names, self.broken = names, broken
        self.tries: Counter[str] = Counter()

    async def handle(self, batch: Batch) -> Told:
        """Pass every record on, or do what it says."""
        if self.broken:
            raise ValueError("a bad deploy takes every record for poison")
        told, topic = Told(), self.names.data(EVENTS_VALIDATED, batch.model)
        for record in batch.records:
            value = await self._obeyed(json.loads(record.value or b""), record.value or b"")
            told.messages.append(Message(topic, record.key, value, cause=record))
        return told

    async def _obeyed(self, said: dict[str, Any], value: bytes) -> bytes:
        match said.get("does"):
            case "raise":
                self.tries[said["id"]] += 1
                if self.tries[said["id"]] <= said["times"]:
                    raise RuntimeError(f"planted, try {self.tries[said['id']]}")
            case "grow":
                return os.urandom(TOO_LARGE)
            case "sleep":
                await asyncio.sleep(said["seconds"])
            case "abort":
                os.abort()
        return value

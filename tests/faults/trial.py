"""One model under load, watched from end to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from itertools import count

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from contracts.data import (
    EVENTS,
    EVENTS_QUARANTINED,
    EVENTS_VALIDATED,
    LABELS_VALIDATED,
    OUTCOMES,
    PREDICTIONS,
)
from driftwheel import Client
from shared.kafka.names import DEAD_LETTERS
from tests.faults.finding import Finding
from tests.faults.history import Effect, History
from tests.faults.load import Load, declaration
from tests.faults.observer import Observer, watched
from tests.faults.world import World, within

RATE = 200.0
SETTLE_S = 60.0
OUTPUT = {
    "ingest": "ingested",
    "validation": "events.validated",
    "serving": "predictions",
    "monitor": "outcomes",
}
READ = (EVENTS, EVENTS_VALIDATED, LABELS_VALIDATED, PREDICTIONS, OUTCOMES, EVENTS_QUARANTINED)
NUMBERS = count(1)


class Trial:
    """A model of its own, its load and its history."""

    def __init__(self, world: World, model: str, rate: float) -> None:
        self.world, self.model, self.history = world, model, History()
        topics = {world.names.data(topic, model): topic.kind for topic in READ}
        dead = {
            name + DEAD_LETTERS: "dlq"
            for name, kind in topics.items()
            if kind != "events.quarantined"
        }
        self.observer = Observer(world.kafka.address, topics | dead, self.history, watched)
        events = world.names.data(EVENTS, model)
        ingest = world.service("ingest").url
        self.load = Load(world.kafka.address, ingest, events, model, self.history, rate)

    async def settle(self, seconds: float = SETTLE_S) -> None:
        """Stop the load and wait until nothing that was acknowledged is missing."""
        async with asyncio.timeout(seconds):
            await self.load.finish()
        await within(seconds, self._predicted, every=0.1)
        await self.load.close()
        await self.until_settled(seconds)

    async def until_settled(self, seconds: float = SETTLE_S) -> None:
        """Wait until nothing that was acknowledged is missing."""
        await within(seconds, self._settled, every=0.5)

    async def recovered(self, service: str, since: float, seconds: float = 20.0) -> float | None:
        """Wait for the first output of a service for a record that was sent after `since`.

        Returns:
            Seconds from `since` to the broker's append of it; None if it does not come.

        """
        kind = OUTPUT[service]
        await within(seconds, lambda: self.history.first(kind, since) is not None)
        first = self.history.first(kind, since)
        return None if first is None else first - since

    def finding(
        self,
        fault: str,
        bound: str,
        checks: Mapping[str, bool],
        *,
        times: Mapping[str, bool] | None = None,
        recovery_s: float | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> Finding:
        """Judge the history, and what else was promised."""
        verdict, sent = self.history.verdict(), len(self.history.sends)
        unanswered = self.history.unanswered()
        every = {**checks, f"every send is answered ({unanswered} are not)": unanswered == 0}
        return Finding.of(
            fault,
            bound,
            verdict,
            every,
            sent=sent,
            times=times,
            recovery_s=recovery_s,
            detail={
                **(detail or {}),
                "copies": dict(self.history.copies()),
                "revised": verdict.revised,
            },
        )

    def _predicted(self) -> bool:
        return not self.history.unanswered() and not self.history.missing_of("predictions")

    async def _settled(self) -> bool:
        self.history.holds("store", await asyncio.to_thread(self._stored))
        return not self.history.missing()

    def _stored(self) -> list[Effect]:
        folder = self.world.folder.state / "offline" / self.model
        try:
            rows = DeltaTable(folder).to_pyarrow_table(columns=["id", "label_time"]).to_pylist()
        except TableNotFoundError:
            return []
        place = ("store", 0, 0)
        return [
            Effect("store", row["id"], place, None, 0.0, str(row["label_time"])) for row in rows
        ]


@contextlib.asynccontextmanager
async def trial(
    world: World, about: str, *, rate: float = RATE, **declared: str
) -> AsyncIterator[Trial]:
    """Declare a model, and have it under load for the body."""
    model = f"{about}-{next(NUMBERS)}"
    await world.until_ready(world.kafka)
    async with Client(kafka=world.kafka.address, prefix=world.names.prefix) as client:
        await client.apply(declaration(model, **declared))
    one = Trial(world, model, rate)
    async with one.observer:
        await one.load.start()
        try:
            yield one
        finally:
            await one.load.stop()

"""What happens to a consumer when the partitions of its group are shared out anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener

from shared.kafka.message import Position
from shared.kafka.patience import Abandoned

if TYPE_CHECKING:
    from shared.kafka.consumer import Consumer

Positioning = Callable[[frozenset[Position]], Awaitable[dict[Position, int]]]


class Rebalance(ConsumerRebalanceListener):
    """Lets the batch in flight finish before partitions go, and positions those that come.

    A batch that waits for the world is let go of at once: the new owner takes it up.
    """

    def __init__(self, owner: Consumer) -> None:
        self.owner = owner
        self.placing: asyncio.Task[None] | None = None

    async def on_partitions_revoked(self, _: Any) -> None:
        """Wait for the batch in flight."""
        owner = self.owner
        owner.telemetry.count("rebalances", owner.group)
        owner.let_go.set()
        try:
            async with asyncio.timeout(owner.drain_s), owner.in_flight:
                await owner.commits.settle()
                if self.placing is not None:
                    await self.placing
        except TimeoutError:
            owner.telemetry.log.warning("a batch did not finish before its partitions went")

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Seek where the service knows better than the committed offset."""
        owner, positions = self.owner, frozenset(assigned)
        owner.ledger.keep(owner.group, positions)
        owner.progress.assigned(positions)
        owner.held.clear()
        if not owner.ending.is_set():
            owner.let_go.clear()
        if owner.positioning:
            # The client sends no heartbeat while it waits for us here, and this may take long.
            reader = owner.reader
            assert reader is not None
            owner.unplaced = set(positions)
            reader.pause(*positions)
            self.placing = asyncio.create_task(self._place(reader, positions))

    async def _place(self, reader: AIOKafkaConsumer, positions: frozenset[Position]) -> None:
        owner = self.owner
        try:
            for hook in owner.positioning:
                offsets = await owner.patiently(partial(hook, positions))
                if offsets:
                    await owner.patiently(partial(owner.place, offsets))
        except Abandoned:
            return
        except Exception as error:
            # Reading from where the log was committed would be wrong.
            owner.halt(f"{error!r} while partitions were taken over")
            return
        owner.unplaced.clear()
        reader.resume(*positions)

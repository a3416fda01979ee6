"""A timer that publishes what no record would lead to: the windows of idle partitions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from contracts import Event
from shared.errors import Transient
from shared.kafka import Message, Names, Publisher, Told
from shared.kafka.message import envelope
from shared.kafka.names import TOPIC_OF
from shared.telemetry import Telemetry


class Sweep:
    """Asks a few times a second what there is to tell, and publishes it.

    Args:
        telemetry: of the service.
        names: real topic names.
        publisher: takes what is told.
        ask: what there is to tell.
        transient: exceptions that mean "the world": the next round tries again.
        every_s: wall seconds between two rounds.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        names: Names,
        publisher: Publisher,
        ask: Callable[[], Awaitable[Told]],
        *,
        transient: tuple[type[Exception], ...],
        every_s: float,
    ) -> None:
        self.telemetry, self.names, self.publisher, self.ask = telemetry, names, publisher, ask
        self.transient: tuple[type[Exception], ...] = (
            Transient,
            ConnectionError,
            TimeoutError,
            *transient,
        )
        self.every_s = every_s
        self.trouble: str | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    def unready(self) -> str | None:
        """Say why idle partitions are not swept now; None when they are."""
        if self._running is not None and self._running.done():
            return f"sweep has ended: {self._running.exception()!r}"
        return self.trouble

    async def once(self) -> None:
        """Do one round."""
        told = await self.ask()
        if told.events:
            await self.publisher.publish([self._message(event) for event in told.events])
        for effect in told.after:
            await effect()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            try:
                await self.once()
                self.trouble = None
            except self.transient as error:
                self.trouble = f"waiting: {error!r}"

    def _message(self, event: Event) -> Message:
        topic = TOPIC_OF[type(event)]
        return Message(
            self.names.topic(topic),
            event.model.encode(),
            event.model_dump_json().encode(),
            envelope(event, topic.name, self.telemetry.service),
        )

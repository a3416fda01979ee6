"""Facts of the control plane on their way out: as messages, and from the background."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from aiokafka.errors import KafkaError
from opentelemetry import trace

from contracts import Event
from shared.errors import Transient
from shared.kafka.message import Message, Told
from shared.kafka.names import TOPIC_OF, Names
from shared.kafka.producer import Publisher
from shared.kafka.tracing import TRACER, traced
from shared.telemetry import Telemetry

LONGEST_WAIT_S = 5.0


def message_of(event: Event, names: Names, source: str) -> Message:
    """Write an event with its CloudEvents attributes, binary mode, keyed by model."""
    topic = TOPIC_OF[type(event)]
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.event_id,
        "ce_source": f"driftwheel/{source}",
        "ce_type": topic.name,
        "ce_time": event.at.isoformat(),
        "content-type": "application/json",
    }
    headers = tuple((name, value.encode()) for name, value in attributes.items())
    value = event.model_dump_json().encode()
    return Message(names.topic(topic), event.model.encode(), value, headers)


class Teller:
    """Publishes what no record in flight leads to; goes on with the trace it is called in."""

    def __init__(self, telemetry: Telemetry, names: Names, publisher: Publisher) -> None:
        self.telemetry, self.names, self.publisher = telemetry, names, publisher

    async def tell(self, events: Sequence[Event]) -> None:
        """Publish, as often as it takes.

        Raises:
            Unpublishable: an event is too large.
        """
        if not events:
            return None
        with TRACER.start_as_current_span(f"{self.telemetry.service} tells"):
            context = trace.get_current_span()
            source = self.telemetry.service
            messages = [traced(message_of(e, self.names, source), context) for e in events]
            pause = 0.1
            while True:
                try:
                    return await self.publisher.publish(messages)
                except Transient as error:
                    self.telemetry.log.warning("waiting: %s", error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_WAIT_S)


class Timer:
    """Asks every so often what there is to tell, and tells it.

    Args:
        teller: publishes it.
        ask: what there is to tell; only its events and effects are used.
        every_s: wall seconds between two rounds.
        transient: further exceptions that mean "the world": the next round tries again.
    """

    def __init__(
        self,
        teller: Teller,
        ask: Callable[[], Awaitable[Told]],
        *,
        every_s: float,
        transient: tuple[type[Exception], ...] = (),
    ) -> None:
        self.teller, self.ask, self.every_s = teller, ask, every_s
        self.transient: tuple[type[Exception], ...]
        self.transient = (Transient, ConnectionError, TimeoutError, KafkaError, *transient)
        self.trouble: str | None = None
        self._running: asyncio.Task[None] | None = None
        self._ending = False

    async def start(self) -> None:
        """Begin."""
        self._ending = False
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        # Clients swallow a cancellation that meets their answer (asyncio.wait_for of Python 3.11).
        self._ending = True
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    def unready(self) -> str | None:
        """Say why nothing is asked now; None when all is well."""
        if self._running is not None and self._running.done():
            return f"the timer has ended: {self._running.exception()!r}"
        return self.trouble

    def dead(self) -> str | None:
        """Say that it has ended, and will not ask again."""
        ended = self._running is not None and self._running.done()
        return self.unready() if ended else None

    async def once(self) -> None:
        """Do one round."""
        told = await self.ask()
        await self.teller.tell(told.events)
        for effect in told.after:
            await effect()

    async def _run(self) -> None:
        while not self._ending:
            await asyncio.sleep(self.every_s)
            try:
                await self.once()
                self.trouble = None
            except self.transient as error:
                self.trouble = f"waiting: {error!r}"

"""Events that no record led to: published from the background."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from contracts import Event
from shared.errors import Transient
from shared.kafka import Message, Names, Publisher
from shared.kafka.message import envelope
from shared.kafka.names import TOPIC_OF
from shared.telemetry import Telemetry

LONGEST_WAIT_S = 5.0


class Teller:
    """Publishes events that no record led to."""

    def __init__(self, telemetry: Telemetry, names: Names, publisher: Publisher) -> None:
        self.telemetry, self.names, self.publisher = telemetry, names, publisher

    async def tell(self, events: Sequence[Event]) -> None:
        """Publish, as often as it takes.

        Raises:
            Unpublishable: an event is too large.

        """
        messages = [self._message(event) for event in events]
        pause = 0.1
        while messages:
            try:
                await self.publisher.publish(messages)
                return
            except Transient as error:
                self.telemetry.log.warning("waiting: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_WAIT_S)

    def _message(self, event: Event) -> Message:
        topic = TOPIC_OF[type(event)]
        return Message(
            self.names.topic(topic),
            event.model.encode(),
            event.model_dump_json().encode(),
            envelope(event, topic.name, self.telemetry.service),
        )

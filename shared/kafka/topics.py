"""A part that makes sure the control plane's topics exist before anything reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts import Topic
from shared.kafka.names import Names, control_topics, ensure


class Topics:
    """Creates the topics a service hears and tells, where they are missing."""

    def __init__(
        self, kafka: str, names: Names, topics: Sequence[Topic[Any]], replicas: int = 1
    ) -> None:
        self.kafka, self.specs = kafka, control_topics(names, topics, replicas)

    async def start(self) -> None:
        """Create what is missing."""
        await ensure(self.kafka, self.specs)

    async def stop(self) -> None:
        """Leave them."""

    def unready(self) -> str | None:
        """Once there, they stay."""
        return None

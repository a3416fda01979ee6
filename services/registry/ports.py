"""What the registry needs from the world."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol


class TopicsRefused(ValueError):
    """The broker will not have a model's topics; its text says why."""


class DataTopics(Protocol):
    """Whoever can create the data topics of a model."""

    async def create(self, model: str, waits: timedelta) -> None:
        """Create those that are missing; they keep records for longer than predictions wait.

        Raises:
            TopicsRefused: the broker will never create one of them, or one that exists keeps its
                records too short.
            shared.errors.Transient: it cannot now.

        """
        ...

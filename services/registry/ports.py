"""What the registry needs from the world."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol


class TopicsRefused(ValueError):
    """The broker will not have a model's topics; its text says why."""


class DataTopics(Protocol):
    """Whoever can create the data topics of a model."""

    async def create(self, model: str, horizon: timedelta) -> None:
        """Create those that are missing; they keep records for longer than the label horizon.

        Raises:
            TopicsRefused: the broker will never create one of them.
            shared.errors.Transient: it cannot now.

        """
        ...

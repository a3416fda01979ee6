"""Compiled code, loaded before the first record."""

from __future__ import annotations

import asyncio

from shared.events import EventReader, Field
from shared.kafka.murmur2 import hashes

EVERY_KIND = (
    Field("whole", "int"),
    Field("number", "float", nullable=True),
    Field("flag", "bool"),
    Field("text", "category"),
)


class Kernels:
    """The kernels of all models: a new declaration has nothing left to compile."""

    async def start(self) -> None:
        """Load them from their cache, or compile them, which takes seconds."""
        await asyncio.to_thread(_load)

    async def stop(self) -> None:
        """Leave them loaded."""

    def unready(self) -> str | None:
        """Once there, they stay."""
        return None


def _load() -> None:
    EventReader(EVERY_KIND).warm()
    hashes([b"key"])

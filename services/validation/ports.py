"""What validation needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to remember for `ttl_s` seconds of wall time."""

    key: bytes
    value: bytes
    ttl_s: int


class Memory(Protocol):
    """Values by key that fade after a while; losing it costs repetition, never data."""

    async def recall(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Look up many keys in one round trip; None for what is not remembered.

        Raises:
            Transient: the memory cannot be reached.

        """
        ...

    async def remember(self, entries: Sequence[Entry]) -> None:
        """Keep all entries or none, in one round trip.

        Raises:
            Transient: the memory cannot be reached.

        """
        ...

"""What validation needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

NAME_BYTES, CONTENT_BYTES = 16, 8


@dataclass(frozen=True, slots=True)
class Marks:
    """What was said under ids, packed as it travels.

    Attributes:
        ids: key under which the ids of one stream stand.
        names: of the ids, NAME_BYTES each; of those named twice the last counts.
        contents: what each said, CONTENT_BYTES each, in the order of `names`.

    """

    ids: bytes
    names: bytes
    contents: bytes


class Memory(Protocol):
    """Values by key that fade after a while; losing it costs repetition, never data."""

    async def recall(
        self, ids: bytes, names: bytes, keys: Sequence[bytes]
    ) -> tuple[bytes, list[bytes | None]]:
        """Look up ids and values in one round trip.

        Args:
            ids: key under which the ids stand.
            names: of the ids, packed as in `Marks`.
            keys: of the values; one hash slot with `ids`.

        Returns:
            What was said under the ids, packed as in `Marks`, zeros for what is not remembered;
            and the values, None for what is not remembered.

        Raises:
            Transient: the memory cannot be reached.

        """
        ...

    async def remember(self, marks: Marks, values: Mapping[bytes, bytes]) -> None:
        """Keep all of it or none, in one round trip.

        Raises:
            Transient: the memory cannot be reached.

        """
        ...

"""Whether an id has been seen before, and said the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Seen = Literal["new", "copy", "other"]


class Copies:
    """What is known about the ids of one batch: from earlier batches, and from the batch itself.

    Args:
        remembered: id -> content, as far as it is remembered.

    """

    def __init__(self, remembered: Mapping[bytes, bytes]) -> None:
        self._known = dict(remembered)
        self.marks: dict[bytes, bytes] = {}

    def seen(self, key: bytes, content: bytes) -> Seen:
        """Tell whether the id is new, came with the same content, or came with other content."""
        known = self._known.get(key)
        if known is None:
            return "new"
        return "copy" if known == content else "other"

    def mark(self, key: bytes, content: bytes) -> None:
        """Let this content count as the latest under its id."""
        self._known[key] = self.marks[key] = content

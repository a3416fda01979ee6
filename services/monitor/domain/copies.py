"""Copies of predictions: what a producer that has died published twice counts once."""

from __future__ import annotations

from collections.abc import Sequence

REACH = 5000


class Recent:
    """The ids of one partition's latest predictions.

    A prediction is a copy where one of the `REACH` offsets before it holds the same id: the log
    alone says so, wherever reading began, provided that so many ids before it were noted.

    Attributes:
        end: offset up to which ids are known.

    """

    def __init__(self) -> None:
        self.end = 0
        self._offsets: dict[str, int] = {}

    def copies(self, ids: Sequence[str], offsets: Sequence[int]) -> list[int]:
        """Find the places of n predictions that are copies.

        Args:
            ids: of predictions that follow those remembered.
            offsets: n, ascending.

        """
        new = dict(zip(ids, offsets, strict=True))
        if len(new) == len(ids) and self._offsets.keys().isdisjoint(new):
            return []
        found, latest = list[int](), dict[str, int]()
        for place, (name, offset) in enumerate(zip(ids, offsets, strict=True)):
            before = latest.get(name, self._offsets.get(name, offset - REACH - 1))
            if offset - before <= REACH:
                found.append(place)
            latest[name] = offset
        return found

    def note(self, ids: Sequence[str], offsets: Sequence[int], end: int) -> None:
        """Remember n ids; all up to `end` is known then."""
        self.end = end
        self._offsets.update(zip(ids, offsets, strict=True))
        if len(self._offsets) > 4 * REACH:
            self._offsets = {name: at for name, at in self._offsets.items() if end - at <= REACH}

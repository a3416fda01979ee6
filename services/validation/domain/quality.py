"""Additive counts per window of event time, kept by partition together with its offset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

Fate = Literal["valid", "duplicate", "quarantined"]


class Tally(msgspec.Struct):
    """What one window held."""

    received: int = 0
    valid: int = 0
    duplicates: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    nulls: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, fate: Fate, about: Iterable[str]) -> None:
        """Count one record; `about` names its nulls when valid, its broken rules when not."""
        self.received += 1
        if fate == "duplicate":
            self.duplicates += 1
        elif fate == "valid":
            self.valid += 1
            _increase(self.nulls, about)
        else:
            self.quarantined += 1
            _increase(self.reasons, about)


class Book(msgspec.Struct):
    """What a partition has counted so far.

    Attributes:
        through: highest offset counted; -1 for none.
        newest: newest event time, in ms since 1970.
        open: start of a window in ms -> its counts, for windows that are not yet closed.

    """

    through: int = -1
    newest: int | None = None
    open: dict[int, Tally] = msgspec.field(default_factory=dict)


class Ledger:
    """Continues the book of one partition with the records of one batch.

    A window closes when the newest event time has passed its end by `lateness`.

    Args:
        book: as it stood; is changed.
        closed: counts of closed windows that these records may still amend.
        width: of a window, in ms.
        lateness: allowed disorder, in ms.
        otherwise: time of the current window as long as no event time is known, in ms.

    """

    def __init__(
        self, book: Book, closed: Mapping[int, Tally], *, width: int, lateness: int, otherwise: int
    ) -> None:
        self.book, self.width, self.lateness, self.otherwise = book, width, lateness, otherwise
        self.before = book.through
        self._closed = dict(closed)
        self._changed: set[int] = set()

    def count(self, offset: int, time: int | None, fate: Fate, about: Iterable[str]) -> bool:
        """Count one record once.

        Args:
            offset: in the partition; what is counted already changes nothing.
            time: event time in ms; without one the record counts in the current window.
            fate: what became of it.
            about: its nulls, or the rules it broke.

        Returns:
            Whether it was counted now.

        """
        if offset <= self.before:
            return False
        self.book.through = max(self.book.through, offset)
        if time is not None:
            self.book.newest = time if self.book.newest is None else max(self.book.newest, time)
        self._tally(self._start(time)).add(fate, about)
        return True

    def close(self) -> dict[int, Tally]:
        """Close the windows whose time has come.

        Returns:
            Counts by start of window: those closed now, and closed ones that have changed.

        """
        if self.book.newest is not None:
            due = self.book.newest - self.width - self.lateness
            for start in [start for start in self.book.open if start <= due]:
                self._closed[start] = self.book.open.pop(start)
                self._changed.add(start)
        return {start: self._closed[start] for start in sorted(self._changed)}

    def _start(self, time: int | None) -> int:
        if time is None:
            time = self.otherwise if self.book.newest is None else self.book.newest
        return start_of(time, self.width)

    def _tally(self, start: int) -> Tally:
        if start in self._closed:
            self._changed.add(start)
            return self._closed[start]
        return self.book.open.setdefault(start, Tally())


def start_of(time: int, width: int) -> int:
    """Start of the tumbling window that holds `time`; all in ms, aligned to 1970."""
    return time - time % width


def _increase(counts: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        counts[name] = counts.get(name, 0) + 1

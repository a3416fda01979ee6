"""Additive counts per window of event time, kept by partition together with its offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.validation.domain.columns import NO_TIME

Counts: TypeAlias = NDArray[np.int64]


class Fate(IntEnum):
    """What became of a record."""

    VALID = 0
    DUPLICATE = 1
    QUARANTINED = 2


@dataclass(frozen=True, slots=True)
class Rows:
    """Records of one partition, in log order, as they are counted.

    Attributes:
        times: (n,) event times in ms; a record with NO_TIME counts in the current window.
        fates: (n,) what became of them.
        nulls: (n, names) whether a value is missing.
        names: of the values.
        rules: row -> the rules it broke.

    """

    times: NDArray[np.int64]
    fates: NDArray[np.int8]
    nulls: NDArray[np.bool_]
    names: tuple[str, ...]
    rules: Mapping[int, Sequence[str]]

    def part(self, rows: slice) -> Rows:
        """Choose rows that stand together."""
        return Rows(
            self.times[rows],
            self.fates[rows],
            self.nulls[rows],
            self.names,
            {
                row - rows.start: rules
                for row, rules in self.rules.items()
                if rows.start <= row < rows.stop
            },
        )

    def missing(self, window: Counts, windows: int) -> list[dict[str, int]]:
        """Count per window and name in how many valid records a value is missing.

        Args:
            window: (n,) index of each record's window.
            windows: how many there are.

        """
        if not self.nulls.any():
            return [{} for _ in range(windows)]
        row, name = np.nonzero(self.nulls & (self.fates == Fate.VALID)[:, None])
        table = _table(window[row], name, (windows, len(self.names)))
        return [
            {self.names[name]: int(counts[name]) for name in np.flatnonzero(counts).tolist()}
            for counts in table
        ]


class Tally(msgspec.Struct):
    """What one window held."""

    received: int = 0
    valid: int = 0
    duplicates: int = 0
    quarantined: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    nulls: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, fates: Counts, nulls: Mapping[str, int]) -> None:
        """Count records: how many of each fate, and how often each valid one lacks a value."""
        valid, duplicates, quarantined = fates.tolist()
        self.received += valid + duplicates + quarantined
        self.valid += valid
        self.duplicates += duplicates
        self.quarantined += quarantined
        _increase(self.nulls, nulls)

    def blame(self, rules: Sequence[str]) -> None:
        """Note which rules a record broke."""
        _increase(self.reasons, dict.fromkeys(rules, 1))


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
        self._closed = dict(closed)
        self._changed: set[int] = set()

    def count(self, rows: Rows, through: int) -> Counts:
        """Count records that have not been counted before.

        Args:
            rows: the records after `book.through`.
            through: offset of the last of them.

        Returns:
            How many of each fate.

        """
        self.book.through = through
        starts, window = np.unique(self._starts(rows.times), return_inverse=True)
        tallies = [self._tally(start) for start in starts.tolist()]
        fates = _table(window, rows.fates, (len(starts), len(Fate)))
        nulls = rows.missing(window, len(starts))
        for tally, own_fates, own_nulls in zip(tallies, fates, nulls, strict=True):
            tally.add(own_fates, own_nulls)
        for row, rules in rows.rules.items():
            tallies[window[row]].blame(rules)
        counted: Counts = fates.sum(axis=0)
        return counted

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

    def _starts(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the window of each time; what has none counts in the newest one so far."""
        before = NO_TIME if self.book.newest is None else self.book.newest
        newest = np.maximum(np.maximum.accumulate(times), before)
        if newest[-1] != NO_TIME:
            self.book.newest = int(newest[-1])
        current = np.where(newest == NO_TIME, self.otherwise, newest)
        return starts_of(np.where(times == NO_TIME, current, times), self.width)

    def _tally(self, start: int) -> Tally:
        if start in self._closed:
            self._changed.add(start)
            return self._closed[start]
        return self.book.open.setdefault(start, Tally())


def starts_of(times: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Find the tumbling windows that hold `times`; all in ms, aligned to 1970."""
    starts: NDArray[np.int64] = times - times % width
    return starts


def _table(rows: Counts, columns: NDArray[Any], shape: tuple[int, int]) -> Counts:
    """Count how often each pair of row and column occurs."""
    height, width = shape
    counts: Counts = np.bincount(rows * width + columns, minlength=height * width)
    return counts.reshape(shape)


def _increase(counts: dict[str, int], by: Mapping[str, int]) -> None:
    for name, number in by.items():
        counts[name] = counts.get(name, 0) + number

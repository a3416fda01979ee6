"""The windows of one partition: additive counts of outcomes by window and version."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from services.monitor.domain.sums import Measured, VersionSums, numbered

Time = TypeVar("Time", int, NDArray[np.int64])


class WindowSums(Struct, array_like=True):
    """One window of one partition.

    Attributes:
        through: highest offset counted.
        versions: version -> sums.

    """

    through: int = -1
    versions: dict[str, VersionSums] = field(default_factory=dict)

    def count(self, rows: Measured) -> None:
        """Add outcomes of this window; at least one."""
        self.through = max(self.through, int(rows.offsets[-1]))
        places, versions = numbered(rows.versions)
        for place, version in enumerate(versions):
            own = rows.only(np.flatnonzero(places == place))
            self.versions.setdefault(version, VersionSums()).count(own, rows.widths.get(version))

    def add(self, other: WindowSums) -> None:
        """Add the sums of another partition."""
        self.through = max(self.through, other.through)
        for version, sums in other.versions.items():
            self.versions.setdefault(version, VersionSums()).add(sums)


class Windows(Struct, array_like=True):
    """The open windows of one partition.

    Attributes:
        closed: end of the last window that was told, microseconds; nothing is counted before it.
        newest: greatest event time counted.
        open: start of the window -> sums.

    """

    closed: int = -(2**62)
    newest: int = -(2**62)
    open: dict[int, WindowSums] = field(default_factory=dict)

    def count(self, rows: Measured, length: int, lateness: int) -> int:
        """Add each outcome to the window of its prediction.

        Args:
            rows: follow those that were counted before.
            length: of a window, microseconds.
            lateness: allowed disorder of event times, microseconds.

        Returns:
            How many came too late: their window has been told, or may be by now. Which ones do
            follows from the log alone, not from how it was cut into batches.

        """
        starts = start_of(rows.times, length)
        newest = np.maximum.accumulate(np.concatenate(([self.newest], rows.times)))
        late = (starts < self.closed) | (starts + length <= newest[:-1] - lateness)
        self.newest = int(newest[-1])
        for start in np.unique(starts[~late]).tolist():
            own = np.flatnonzero((starts == start) & ~late)
            self.open.setdefault(start, WindowSums()).count(rows.only(own))
        return int(late.sum())

    def complete(self, passed: int, length: int) -> list[tuple[int, WindowSums]]:
        """List windows that end by `passed`, oldest first: those with counts, and the last one.

        The last one, even when empty, says that all before it are complete.
        """
        last = start_of(passed, length) - length
        if last < self.closed:
            return []
        done = {start: sums for start, sums in self.open.items() if start <= last}
        return sorted((done | {last: done.get(last, WindowSums())}).items())

    def drop(self, closed: int) -> None:
        """Forget the windows that start before `closed`, which have been told."""
        self.closed = max(self.closed, closed)
        self.open = {start: sums for start, sums in self.open.items() if start >= closed}


def start_of(time: Time, length: int) -> Time:
    """Find the start of the tumbling window around `time`, counted from 1970."""
    return time // length * length

"""Predictions at the head of the log, counted by window, version and cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from services.monitor.domain.sums import numbered
from services.monitor.domain.tallies import start_of

BEFORE_ALL = -(2**62)

Integers = NDArray[np.int64]
Rows = NDArray[np.intp]


class Cells(Protocol):
    """The cells of one version's baseline, and where predictions fall."""

    @property
    def baseline(self) -> str | None:
        """Digest; None where there are no cells."""
        ...

    def counts(self, rows: Rows, groups: Rows, n: int) -> Integers:
        """Count chosen predictions by group: (n, cells)."""
        ...


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of one partition as columns, in log order.

    Attributes:
        offsets: (n,) ascending.
        times: (n,) event times, microseconds.
        versions: n versions that predicted.
        cells: version -> its cells, for all versions among these.

    """

    offsets: Integers
    times: Integers
    versions: Sequence[str]
    cells: Mapping[str, Cells]


class Counts(Struct, array_like=True):
    """The predictions of one version in one window.

    Attributes:
        baseline: digest; None where only n is counted.
        n: predictions of the window's time.
        late: predictions of earlier windows that came while this one was the newest.
        cells: 8 bytes each.

    """

    baseline: str | None
    n: int = 0
    late: int = 0
    cells: bytes = b""

    @property
    def vector(self) -> Integers:
        """The counts by cell."""
        return np.frombuffer(self.cells, "<i8")

    def add(self, other: Counts) -> None:
        """Add the counts of other predictions; cells that not all have counted are dropped."""
        self.n += other.n
        self.late += other.late
        if len(self.cells) != len(other.cells) or self.baseline != other.baseline:
            self.baseline, self.cells = None, b""
        else:
            self.cells = (self.vector + other.vector).tobytes()


class HeadCounts(Struct, array_like=True):
    """One window of one partition, or of all.

    Attributes:
        through: highest offset counted; -1 for none.
        versions: version -> counts.
        told: highest offset counted when the window was told last; -2 for never.

    """

    through: int = -1
    versions: dict[str, Counts] = field(default_factory=dict)
    told: int = -2

    def add(self, other: HeadCounts) -> None:
        """Add the counts of another partition."""
        self.through = max(self.through, other.through)
        for version, counts in other.versions.items():
            if version in self.versions:
                self.versions[version].add(counts)
            else:
                self.versions[version] = counts


class Heads(Struct, array_like=True):
    """The open windows of one partition.

    Attributes:
        closed: end of the last window that was told; before the first, of those that cannot be
            counted whole.
        newest: greatest event time counted, microseconds.
        whole_from: windows that start before are not counted.
        open: start of the window -> counts.

    """

    closed: int = BEFORE_ALL
    newest: int = BEFORE_ALL
    whole_from: int = BEFORE_ALL
    open: dict[int, HeadCounts] = field(default_factory=dict)

    def count(self, seen: Predictions, length: int, lateness: int) -> None:
        """Add predictions that follow those counted before.

        One is late when its window had ended, by more than the lateness, for the predictions
        before it in the same partition. It counts as late in the window that was the newest then.
        So what a window holds follows from the log alone.

        Args:
            seen: of this partition.
            length: of a window, microseconds.
            lateness: allowed disorder of event times, microseconds.

        """
        if not len(seen.times):
            return
        newest = np.maximum.accumulate(np.concatenate(([self.newest], seen.times)))
        starts = start_of(seen.times, length)
        late = starts + length <= newest[:-1] - lateness
        homes = np.where(late, start_of(newest[:-1], length), starts)
        self.newest = int(newest[-1])
        places, versions = numbered(seen.versions)
        for place, version in enumerate(versions):
            rows = np.flatnonzero((places == place) & (homes >= self.whole_from))
            if len(rows):
                self._add(version, seen, rows, homes[rows], late[rows])

    def over(self, passed: int, length: int) -> list[tuple[int, HeadCounts]]:
        """List windows that end by `passed` and have something new to tell, oldest first.

        The last of them, even when empty, says that all before it are complete.
        """
        last = start_of(passed, length) - length
        new = {at: one for at, one in self.open.items() if at <= last and one.through > one.told}
        if last + length > self.closed:
            new.setdefault(last, self.open.get(last, HeadCounts()))
        return sorted(new.items())

    def tell(self, told: Mapping[int, int], passed: int, length: int) -> None:
        """Note what was told, and forget the windows of which nothing more can come.

        Args:
            told: start of a window -> highest offset that was counted in it.
            passed: end of the windows to which this partition itself can add nothing.
            length: of a window, microseconds.

        """
        for start, through in told.items():
            self.closed = max(self.closed, start + length)
            if start in self.open:
                self.open[start].told = max(self.open[start].told, through)
        self.open = {
            start: one
            for start, one in self.open.items()
            if start + length > passed or one.through > one.told
        }

    def _add(
        self, version: str, seen: Predictions, rows: Rows, homes: Integers, late: NDArray[np.bool_]
    ) -> None:
        """Add the chosen predictions of one version to their windows."""
        cells = seen.cells[version]
        windows, groups = np.unique(homes, return_inverse=True)
        counts = cells.counts(rows[~late], groups[~late], len(windows))
        on_time = np.bincount(groups[~late], minlength=len(windows))
        too_late = np.bincount(groups[late], minlength=len(windows))
        for place, start in enumerate(windows.tolist()):
            window = self.open.setdefault(start, HeadCounts())
            last = int(seen.offsets[rows[groups == place][-1]])
            new = Counts(
                cells.baseline,
                int(on_time[place]),
                int(too_late[place]),
                counts[place].astype("<i8").tobytes(),
            )
            window.add(HeadCounts(last, {version: new}))

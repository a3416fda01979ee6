"""Additive counts of outcomes by window, version and slice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, field

MOST_SLICES = 1000


class Measured(NamedTuple):
    """What one outcome adds: each term is 0 without a label."""

    labelled: bool
    loss: float = 0.0
    predicted: float = 0.0
    observed: float = 0.0
    variance: float = 0.0
    cost: float = 0.0


class Sums(Struct, array_like=True):
    """Sums over outcomes; all but n over the labelled ones."""

    n: int = 0
    labelled: int = 0
    loss: float = 0.0
    loss_squared: float = 0.0
    predicted: float = 0.0
    observed: float = 0.0
    variance: float = 0.0
    cost: float = 0.0

    def count(self, outcome: Measured) -> None:
        """Add one outcome."""
        self.n += 1
        if outcome.labelled:
            self.labelled += 1
            self.loss += outcome.loss
            self.loss_squared += outcome.loss * outcome.loss
            self.predicted += outcome.predicted
            self.observed += outcome.observed
            self.variance += outcome.variance
            self.cost += outcome.cost

    def add(self, other: Sums) -> None:
        """Add the sums of other outcomes."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class VersionSums(Struct, array_like=True):
    """The sums of one version, whole and by feature -> value."""

    total: Sums = field(default_factory=Sums)
    slices: dict[str, dict[str, Sums]] = field(default_factory=dict)

    def count(self, outcome: Measured, values: Mapping[str, str]) -> None:
        """Add one outcome, whose slice features have these values."""
        self.total.count(outcome)
        for feature, value in values.items():
            self._slice(feature, value).count(outcome)

    def add(self, other: VersionSums) -> None:
        """Add the sums of other outcomes."""
        self.total.add(other.total)
        for feature, by_value in other.slices.items():
            for value, sums in by_value.items():
                self._slice(feature, value).add(sums)

    def _slice(self, feature: str, value: str) -> Sums:
        by_value = self.slices.setdefault(feature, {})
        if value not in by_value:
            if sum(map(len, self.slices.values())) >= MOST_SLICES:
                return Sums()
            by_value[value] = Sums()
        return by_value[value]


class WindowSums(Struct, array_like=True):
    """One window of one partition.

    Attributes:
        through: highest offset counted.
        versions: version -> sums.

    """

    through: int = -1
    versions: dict[str, VersionSums] = field(default_factory=dict)

    def count(self, version: str, outcome: Measured, values: Mapping[str, str]) -> None:
        """Add one outcome of a version, whose slice features have these values."""
        self.versions.setdefault(version, VersionSums()).count(outcome, values)


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

    def around(self, time: int, offset: int, length: int, lateness: int) -> WindowSums | None:
        """Find the window that a prediction's outcome counts in.

        Args:
            time: event time of the prediction, microseconds.
            offset: of the prediction.
            length: of a window, microseconds.
            lateness: allowed disorder of event times, microseconds.

        Returns:
            None where it came too late: its window has been told, or may be by now. Which ones do
            follows from the log alone, not from how it was cut into batches.

        """
        start = start_of(time, length)
        late = start < self.closed or start + length <= self.newest - lateness
        self.newest = max(self.newest, time)
        if late:
            return None
        window = self.open.setdefault(start, WindowSums())
        window.through = max(window.through, offset)
        return window

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


def start_of(time: int, length: int) -> int:
    """Find the start of the tumbling window around `time`, counted from 1970."""
    return time // length * length


def merged(parts: Iterable[Mapping[str, VersionSums]]) -> dict[str, VersionSums]:
    """Add the parts of one window, in the order given: version -> sums."""
    whole: dict[str, VersionSums] = {}
    for part in parts:
        for version, sums in part.items():
            whole.setdefault(version, VersionSums()).add(sums)
    return whole

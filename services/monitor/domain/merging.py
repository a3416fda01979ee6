"""A model's windows put together from the parts of its partitions."""

from __future__ import annotations

from typing import Generic, Protocol, Self, TypeVar

from msgspec import Struct, field


class Part(Protocol):
    """What one partition says of a window; parts add up.

    Attributes:
        through: highest offset counted; -1 for nothing.

    """

    through: int

    def add(self, other: Self, /) -> None:
        """Add the counts of another partition."""
        ...


P = TypeVar("P", bound=Part)


class Whole(Struct, Generic[P], array_like=True):
    """A complete window of a model, microseconds."""

    start: int
    end: int
    counts: P


class Parts(Struct, Generic[P], array_like=True):
    """The parts of one window: partition -> counts."""

    end: int
    by_partition: dict[int, P] = field(default_factory=dict)


class Merging(Struct, Generic[P]):
    """The windows of one stream that are not complete.

    A partition tells its windows in order, so its latest one says that all before are complete.

    Attributes:
        waiting: start -> parts.
        closed: partition -> end of its latest window.
        merged: end of the last complete window.

    """

    waiting: dict[int, Parts[P]] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    merged: int = -(2**62)

    def hear(self, start: int, end: int, partition: int, part: P) -> None:
        """Take one part; of two for the same window and partition the higher `through` counts."""
        self.closed[partition] = max(self.closed.get(partition, end), end)
        if end <= self.merged or part.through < 0:
            return
        parts = self.waiting.setdefault(start, Parts(end)).by_partition
        if partition not in parts or part.through > parts[partition].through:
            parts[partition] = part

    def passed_by(self, partitions: int) -> int:
        """Find the end of the last window that so many partitions have passed."""
        return min(self.closed.values()) if len(self.closed) >= partitions else self.merged

    def complete(self, passed: int) -> list[Whole[P]]:
        """Take out the windows that end by `passed`, oldest first."""
        self.merged = max(self.merged, passed)
        ready = sorted(start for start, parts in self.waiting.items() if parts.end <= passed)
        return [self._whole(start) for start in ready]

    def _whole(self, start: int) -> Whole[P]:
        parts = self.waiting.pop(start)
        # In the order of partitions: sums of floats are the same to the last bit.
        whole, *others = (part for _, part in sorted(parts.by_partition.items()))
        for part in others:
            whole.add(part)
        return Whole(start, parts.end, whole)

"""A model's windows put together from the parts of its partitions."""

from __future__ import annotations

from msgspec import Struct, field

from services.monitor.domain.tallies import VersionSums, WindowSums, merged


class Whole(Struct, array_like=True):
    """A complete window of a model, microseconds."""

    start: int
    end: int
    versions: dict[str, VersionSums]


class Parts(Struct, array_like=True):
    """The parts of one window: partition -> sums."""

    end: int
    by_partition: dict[int, WindowSums] = field(default_factory=dict)


class Ledger(Struct):
    """Everything that is known about a model's windows.

    A partition tells its windows in order, so its latest one says that all before are complete.

    Attributes:
        waiting: start -> parts of windows that are not complete.
        closed: partition -> end of its latest window.
        measured: end of the last complete window.
        trail: the latest complete windows, oldest first.
        alarms: "version detector" -> end of the window of its last alarm, while that is disarmed.
        told: id of the part that completed windows -> what was told; the latest only.

    """

    waiting: dict[int, Parts] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    measured: int = -(2**62)
    trail: list[Whole] = field(default_factory=list)
    alarms: dict[str, int] = field(default_factory=dict)
    told: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def hear(self, start: int, end: int, partition: int, part: WindowSums) -> None:
        """Take one part; of two for the same window and partition the higher `through` counts."""
        self.closed[partition] = max(self.closed.get(partition, end), end)
        if end <= self.measured or not part.versions:
            return
        parts = self.waiting.setdefault(start, Parts(end)).by_partition
        if partition not in parts or part.through > parts[partition].through:
            parts[partition] = part

    def complete(self, partitions: int) -> list[Whole]:
        """Take out the windows that every partition has passed, oldest first.

        Args:
            partitions: how many there are.

        """
        if len(self.closed) < partitions:
            return []
        passed = min(self.closed.values())
        self.measured = max(self.measured, passed)
        ready = sorted(start for start, parts in self.waiting.items() if parts.end <= passed)
        return [self._whole(start) for start in ready]

    def remember(self, window: Whole, length: int, windows: int) -> None:
        """Append to the trail, which spans at most so many windows of this length."""
        self.trail.append(window)
        self.trail = [old for old in self.trail if old.end > window.end - windows * length]

    def _whole(self, start: int) -> Whole:
        parts = self.waiting.pop(start)
        ordered = (part.versions for _, part in sorted(parts.by_partition.items()))
        return Whole(start, parts.end, merged(ordered))

"""Progress of a group: how far behind, how old the oldest, and whether anything moves at all."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from shared.clock import Clock, wall_clock
from shared.kafka.message import Position, Run
from shared.telemetry import Telemetry


class Progress:
    """Follows the partitions of one group in this process.

    A partition that is held waits by design: its lag is shown, but it neither is late nor dead.

    Args:
        telemetry: takes the metrics.
        group: names the group in them.
        stuck_s: seconds without a commit, though there is something to do, that mean dead.
        clock: for the ages of records.

    """

    def __init__(
        self, telemetry: Telemetry, group: str, stuck_s: float, clock: Clock = wall_clock
    ) -> None:
        self.telemetry, self.group, self.stuck_s, self.clock = telemetry, group, stuck_s, clock
        self.positions: frozenset[Position] = frozenset()
        self.done: dict[Position, int] = {}
        self.lag: dict[Position, int] = {}
        self._oldest: dict[Position, float] = {}
        self._moved = time.monotonic()
        self._late: list[Position] = []

    def assigned(self, positions: Collection[Position]) -> None:
        """Follow these partitions from now on, and no others."""
        for gone in self.positions.difference(positions):
            self.telemetry.forget("partition_lag", self._label(gone))
        self.positions = frozenset(positions)
        self.done.clear()
        self.lag.clear()
        self._oldest.clear()
        self._late.clear()
        self.moved()

    def moved(self) -> None:
        """Note a commit, or a declared reason for none."""
        self._moved = time.monotonic()

    def took(self, runs: Sequence[Run]) -> None:
        """Note a batch that is in flight."""
        for run in runs:
            self.done.setdefault(run.position, run.records[0].offset)
            self._oldest[run.position] = run.records[0].timestamp / 1000

    def committed(self, ends: Mapping[Position, int], runs: Sequence[Run]) -> None:
        """Note a batch that is done; what follows it was appended later."""
        self.done.update(ends)
        for run in runs:
            self._oldest[run.position] = run.records[-1].timestamp / 1000
        self.moved()

    def look(self, ends: Mapping[Position, int], held: Collection[Position]) -> None:
        """Compare with the ends of the log, and tell.

        Args:
            ends: offset after the last record of each partition.
            held: partitions that wait by design.

        """
        now = self.clock().timestamp()
        self.lag = {p: max(0, end - self.done.get(p, end)) for p, end in ends.items()}
        self._late = [p for p, behind in self.lag.items() if behind and p not in held]
        for position in ends:
            if position in self._late:
                self._oldest.setdefault(position, now)
            else:
                self._oldest.pop(position, None)
        for position, behind in self.lag.items():
            self.telemetry.gauge("partition_lag", self._label(position), behind)
        self.telemetry.gauge("lag", self.group, sum(self.lag[p] for p in self._late))
        age = now - min((self._oldest[p] for p in self._late), default=now)
        self.telemetry.gauge("oldest_age_seconds", self.group, max(0.0, age))

    def stuck(self) -> str | None:
        """Say since when nothing moves although something should; None when all is well."""
        still = time.monotonic() - self._moved
        if not self._late or still < self.stuck_s:
            return None
        behind = sum(self.lag[p] for p in self._late)
        return f"{self.group}: {behind} records behind and no commit for {still:.0f} s"

    def _label(self, position: Position) -> str:
        return f"{self.group}:{position.topic}[{position.partition}]"

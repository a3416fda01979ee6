"""What a worker costs: CPU of all its threads, wall time, memory, from one event to another."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from dataclasses import dataclass
from typing import Self

import psutil


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a process stands: events done, CPU seconds, wall seconds."""

    events: int
    cpu: float
    wall: float

    @classmethod
    def after(cls, events: int) -> Self:
        """Look at this process."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(events, used.ru_utime + used.ru_stime, time.monotonic())


class Meter:
    """Counts events and reads the clocks when the first `warm` and when all of them are done.

    Args:
        warm: events that are not measured.
        events: of the whole run; 0 measures until `reading` is asked for.

    """

    def __init__(self, warm: int, events: int) -> None:
        self.warm, self.events, self.done = warm, events, asyncio.Event()
        self.seen = 0
        self._begun: Moment | None = None
        self._ended: Moment | None = None

    def begin(self) -> None:
        """Measure from here on, if that has not begun yet."""
        self._begun = self._begun or Moment.after(self.seen)

    def advance(self, events: int) -> None:
        """Note that so many more events are done."""
        self.seen += events
        if self.seen >= self.warm:
            self.begin()
        if self.events and self.seen >= self.events and self._ended is None:
            self._ended = Moment.after(self.seen)
            self.done.set()

    def reading(self) -> dict[str, float]:
        """Tell what an event cost; `cpu_us` and `per_second` are None where none was measured."""
        begun = self._begun or Moment.after(self.seen)
        ended = self._ended or Moment.after(self.seen)
        events, cpu, wall = (
            ended.events - begun.events,
            ended.cpu - begun.cpu,
            ended.wall - begun.wall,
        )
        return {
            "events": events,
            "cpu_s": cpu,
            "wall_s": wall,
            "rss_mb": psutil.Process(os.getpid()).memory_info().rss / 2**20,
        }

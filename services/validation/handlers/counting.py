"""The counts of a batch, partition by partition: recalled, continued, closed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from operator import attrgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.declaration import Spec
from services.validation.domain.columns import NO_TIME
from services.validation.domain.keys import Keys
from services.validation.domain.quality import (
    Book,
    Counts,
    Fate,
    Ledger,
    Rows,
    Tally,
    starts_of,
)
from shared.kafka import Run

BOOKS = msgspec.json.Decoder(Book)
TALLIES = msgspec.json.Decoder(Tally)
ENCODER = msgspec.json.Encoder()
OFFSET = attrgetter("offset")


@dataclass(frozen=True, slots=True)
class Own:
    """The records of one partition in a batch.

    Attributes:
        part: their rows in the batch.
        starts: windows of their event times, in ms.
        otherwise: time of the current window as long as no event time is known, in ms.

    """

    run: Run
    part: slice
    starts: list[int]
    otherwise: int

    @property
    def partition(self) -> int:
        """Number of the partition."""
        return self.run.position.partition


@dataclass(frozen=True, slots=True)
class Closing:
    """A window of a partition that has closed, or has changed since."""

    partition: int
    book: Book
    start: int
    tally: Tally


@dataclass(slots=True)
class Counted:
    """What the counting of a batch leads to.

    Attributes:
        fates: (fates,) how many records of each fate were counted for the first time.
        closings: to be told.
        state: to be remembered.

    """

    fates: Counts = field(default_factory=lambda: np.zeros(len(Fate), dtype=np.int64))
    closings: list[Closing] = field(default_factory=list)
    state: dict[bytes, bytes] = field(default_factory=dict)


class Counting:
    """Counts the records of one batch.

    Args:
        at: where the counts are kept.
        runs: of the batch.
        times: (n,) event times of its records in ms, or NO_TIME.
        spec: of the model.

    Attributes:
        keys: what has to be recalled: books, and closed windows that may be amended.

    """

    def __init__(self, at: Keys, runs: Sequence[Run], times: NDArray[np.int64], spec: Spec) -> None:
        self.at, self.times = at, times
        self.width, self.lateness = _ms(spec.drift.window), _ms(spec.label.lateness)
        ends = np.cumsum([0, *(len(run.records) for run in runs)]).tolist()
        parts = (slice(*bounds) for bounds in pairwise(ends))
        self.owns = [self._own(run, part) for run, part in zip(runs, parts, strict=True)]
        self.keys = [
            key
            for own in self.owns
            for key in (
                at.book(own.partition),
                *(at.window(own.partition, start) for start in own.starts),
            )
        ]

    def counted(self, rows: Rows, values: Sequence[bytes | None]) -> Counted:
        """Count all records of the batch, given the values of `keys`."""
        found = {key: value for key, value in zip(self.keys, values, strict=True) if value}
        counted = Counted()
        for own in self.owns:
            ledger = self._ledger(own, found)
            # What is handled again counts once.
            old = bisect_right(own.run.records, ledger.book.through, key=OFFSET)
            if old < len(own.run.records):
                part = rows.part(slice(own.part.start + old, own.part.stop))
                counted.fates += ledger.count(part, own.run.end - 1)
            for start, tally in ledger.close().items():
                counted.state[self.at.window(own.partition, start)] = ENCODER.encode(tally)
                counted.closings.append(Closing(own.partition, ledger.book, start, tally))
            counted.state[self.at.book(own.partition)] = ENCODER.encode(ledger.book)
        return counted

    def _own(self, run: Run, part: slice) -> Own:
        times = self.times[part]
        timed = times[times != NO_TIME]
        starts = np.unique(starts_of(timed, self.width)).tolist()
        return Own(run, part, starts, int(timed[0]) if len(timed) else run.records[0].timestamp)

    def _ledger(self, own: Own, found: Mapping[bytes, bytes]) -> Ledger:
        book = found.get(self.at.book(own.partition))
        windows = {start: found.get(self.at.window(own.partition, start)) for start in own.starts}
        return Ledger(
            BOOKS.decode(book) if book else Book(),
            {start: TALLIES.decode(tally) for start, tally in windows.items() if tally},
            width=self.width,
            lateness=self.lateness,
            otherwise=own.otherwise,
        )


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)

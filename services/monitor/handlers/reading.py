"""Records -> columns: predictions that are due, and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from services.monitor.domain.times import microseconds
from services.monitor.domain.watermarks import matured
from services.monitor.handlers.payloads import TIMED, Decode, moment_of
from shared.kafka import Parked, Record

FEW = 64

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Read:
    """What records of one partition say.

    Attributes:
        records: n, in log order.
        rows: n, decoded.
        offsets: (n,) in the partition.
        times: (n,) event times, microseconds.
        parked: the records that could not be read.

    """

    records: Sequence[Record]
    rows: Sequence[Any]
    offsets: Integers
    times: Integers
    parked: Sequence[Parked]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> list[str]:
        """The n event ids."""
        return [row.id for row in self.rows]

    def keys(self) -> bytes:
        """Name the n event ids in 16 bytes each."""
        return b"".join([xxh3_128_digest(row.id.encode()) for row in self.rows])

    def since(self, offset: int) -> Read:
        """Keep the rows from an offset on; what is parked is left out."""
        n = int(np.searchsorted(self.offsets, offset))
        return Read(self.records[n:], self.rows[n:], self.offsets[n:], self.times[n:], [])

    def without(self, offsets: Sequence[int]) -> Read:
        """Keep the rows at other offsets than these; what is parked is left out."""
        if not offsets:
            return self
        kept = np.flatnonzero(~np.isin(self.offsets, offsets))
        records, rows = (
            [column[row] for row in kept.tolist()] for column in (self.records, self.rows)
        )
        return Read(records, rows, self.offsets[kept], self.times[kept], [])

    def first(self, n: int, end: int) -> Read:
        """Keep the first n rows, and of what is parked the offsets below `end`."""
        parked = [one for one in self.parked if one.record.offset < end]
        columns = (self.records[:n], self.rows[:n], self.offsets[:n], self.times[:n])
        return Read(*columns, parked)


def read(records: Sequence[Record], decode: Decode) -> Read:
    """Read records that have a time; those that cannot be read stand apart.

    Args:
        records: of one partition, in log order.
        decode: one value -> a row with a `time`.

    """
    sound, rows, parked = list[Record](), list[Any](), list[Parked]()
    for record in records:
        try:
            rows.append(decode(record.value or b""))
        except (msgspec.DecodeError, ValueError) as error:
            parked.append(Parked(record, "poison", str(error)))
        else:
            sound.append(record)
    times, right = microseconds([row.time for row in rows])
    for row in np.flatnonzero(~right).tolist():
        try:
            times[row], right[row] = moment_of(rows[row].time), True
        except ValueError as error:
            parked.append(Parked(sound[row], "poison", str(error)))
    if not right.all():
        kept = np.flatnonzero(right).tolist()
        sound, rows, times = [sound[n] for n in kept], [rows[n] for n in kept], times[right]
        parked.sort(key=lambda one: one.record.offset)
    offsets = np.array([record.offset for record in sound], np.int64)
    return Read(sound, rows, offsets, times, parked)


def read_due(records: Sequence[Record], decode: Decode, limit: int) -> tuple[Read, int, int | None]:
    """Read the predictions that are due: the longest prefix whose times are.

    Args:
        records: at least one, of one partition, in log order.
        decode: one value -> a row with a `time`.
        limit: latest event time that is due, microseconds.

    Returns:
        What was read, the offset after it, and the event time of the prediction there that must
        wait; None where nothing waits.

    """
    # Where even the last one is due, nearly always all are; else most are too young.
    last = read(records[-1:], TIMED.decode).times
    size = len(records) if (last <= limit).all() else FEW
    while True:
        found = read(records[:size], decode)
        due = matured(found.times, limit)
        if due < len(found.rows):
            end = found.records[due].offset
            return found.first(due, end), end, int(found.times[due])
        if size >= len(records):
            return found, records[-1].offset + 1, None
        size *= 4

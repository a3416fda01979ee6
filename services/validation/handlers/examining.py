"""Records -> columns of what is sound, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import numpy as np

from services.validation.domain.columns import MICROSECOND, Columns
from services.validation.domain.judgement import Error, Faulty, Sound, judge
from services.validation.handlers.declared import Stream
from shared.kafka import Record

LONGEST_KEY = 1000
ARRIVAL = attrgetter("timestamp")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed; see settings."""

    future: timedelta
    largest_record: int


def examine(
    records: Sequence[Record], stream: Stream, limits: Limits
) -> tuple[Columns, dict[int, Faulty]]:
    """Read records as columns; what the reader does not accept is judged one by one.

    Returns:
        What the sound ones say, and row -> what is wrong with the others.

    """
    columns = stream.reader.read([record.value for record in records])
    arrivals = np.fromiter(map(ARRIVAL, records), dtype=np.int64, count=len(records))
    columns.sound &= columns.time_us <= 1000 * arrivals + limits.future // MICROSECOND
    columns.sound[_large(records, limits)] = False
    faulty = {}
    for row in np.flatnonzero(~columns.sound).tolist():
        verdict = _verdict(records[row], stream, limits)
        columns.splice(row, verdict)
        if isinstance(verdict, Faulty):
            faulty[row] = verdict
    return columns, faulty


def size_of(record: Record) -> int:
    """Add up key, value and headers, in bytes."""
    return len(record.key or b"") + len(record.value or b"") + _headers_size(record)


def time_of(ms: int) -> datetime:
    """Read milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def _large(records: Sequence[Record], limits: Limits) -> list[int]:
    """Find what is too large; mostly three maxima show that nothing is."""
    key = max([len(record.key or b"") for record in records])
    value = max([len(record.value or b"") for record in records])
    headers = max([_headers_size(record) for record in records if record.headers], default=0)
    if key <= LONGEST_KEY and key + value + headers <= limits.largest_record:
        return []
    return [row for row, record in enumerate(records) if _too_large(record, limits)]


def _too_large(record: Record, limits: Limits) -> Error | None:
    size, largest = size_of(record), limits.largest_record
    if size > largest:
        said = f"value: the record has {size:,} bytes with key and headers; at most {largest:,}"
        return Error("value", "too_large", said)
    if record.key is not None and len(record.key) > LONGEST_KEY:
        said = f"key: it has {len(record.key):,} bytes; at most {LONGEST_KEY:,}"
        return Error("key", "too_large", said)
    return None


def _headers_size(record: Record) -> int:
    return sum(len(name) + len(value or b"") for name, value in record.headers)


def _verdict(record: Record, stream: Stream, limits: Limits) -> Sound | Faulty:
    if error := _too_large(record, limits):
        return Faulty((error,))
    return judge(stream.type, record.value, time_of(record.timestamp), limits.future)

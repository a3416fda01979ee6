"""Record batches as bytes, a column at a time, in version 2 of Kafka's format.

https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from operator import add
from typing import cast

from aiokafka.codec import zstd_encode
from aiokafka.record.util import calc_crc32c

from shared.kafka.headers import Header
from shared.kafka.message import Block

MAX_BYTES, MAX_RECORDS = 1_000_000, 4096
# Offset, length, epoch of the leader, version, checksum; the checksum covers what follows.
HEAD = struct.Struct(">qiibI")
# Attributes, last offset, first and last time, id, epoch and sequence of the producer, records.
REST = struct.Struct(">hiqqqhii")
UNCOUNTED = 12  # bytes of the offset and of the length itself
VERSION, PLAIN, ZSTD = 2, 0, 4


class RecordBatch:
    """A batch that is written already; `AIOKafkaProducer.send_batch` takes it for its own.

    The client's own (aiokafka 0.14, `BatchBuilder`) writes header by header of record by record.

    Args:
        records: as bytes, one after another.
        count: of the records.

    """

    def __init__(self, records: bytes, count: int) -> None:
        self._records, self._count = records, count
        self._ms = int(time.time() * 1000)
        self._producer = (-1, -1, 0)
        self._written = b""

    def record_count(self) -> int:
        """Count the records."""
        return self._count

    def closed(self) -> bool:
        """Take no more records."""
        return True

    def close(self) -> None:
        """Be closed as it is."""

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        self._producer = producer_id, epoch, sequence

    def _build(self) -> bytes:
        """Compress and seal it, once: what is sent again is the same."""
        if not self._written:
            codec, records = ZSTD, zstd_encode(self._records)
            if len(records) >= len(self._records):
                codec, records = PLAIN, self._records
            times = self._ms, self._ms
            rest = REST.pack(codec, self._count - 1, *times, *self._producer, self._count) + records
            length = HEAD.size - UNCOUNTED + len(rest)
            self._written = HEAD.pack(0, length, -1, VERSION, calc_crc32c(rest)) + rest
            self._records = b""
        return self._written


def batches(block: Block) -> Iterator[tuple[Block, RecordBatch]]:
    """Write records in order; each batch comes with the part of the block that is in it."""
    bodies = _bodies(block)
    for start, end in _cuts(list(map(len, bodies))):
        whole = end - start == len(block)
        part = block if whole else block.part(start, end, block.partition)
        yield part, _batch(bodies[start:end])


def varint(number: int) -> bytes:
    """Write a whole number in seven bits per byte, the lowest first, its sign below them."""
    left = number << 1 if number >= 0 else ~(number << 1)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


# What stands between a record's length and its key: attributes, time since the first, offset.
PLACES = [b"\0\0" + varint(offset) for offset in range(MAX_RECORDS)]


def _batch(bodies: Sequence[bytes]) -> RecordBatch:
    places = PLACES[: len(bodies)]
    lengths = list(map(add, map(len, places), map(len, bodies)))
    records = chain.from_iterable(zip(_lengths(lengths), places, bodies, strict=True))
    return RecordBatch(b"".join(records), len(bodies))


def _cuts(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Part records into batches that Kafka takes; one that is larger by itself stands alone."""
    ends, start = [0, *accumulate(lengths)], 0
    while start < len(lengths):
        fitting = bisect_right(ends, ends[start] + MAX_BYTES) - 1
        end = max(start + 1, min(fitting, start + MAX_RECORDS))
        yield start, end
        start = end


def _bodies(block: Block) -> list[bytes]:
    """Write records from their keys on."""
    headers = block.headers
    start = varint(len(headers.fixed) + len(headers.columns)) + b"".join(map(_pair, headers.fixed))
    columns = [*_framed(block.keys), *_framed(block.values)]
    for name, values in headers.columns.items():
        columns += _framed(values, start + _text(name.encode()))
        start = b""
    if start:
        columns.append([start] * len(block))
    bodies = list(map(b"".join, zip(*columns, strict=True)))
    for row, own in headers.others.items():
        written = varint(len(own)) + b"".join(map(_pair, own))
        bodies[row] = _text(block.keys[row]) + _text(block.values[row]) + written
    return bodies


def _framed(
    texts: Sequence[bytes | None], before: bytes = b""
) -> tuple[list[bytes], Sequence[bytes]]:
    """Write each text's length, after what stands `before` it in all records."""
    lengths = [-1 if text is None else len(text) for text in texts]
    present = [text or b"" for text in texts] if -1 in lengths else cast("Sequence[bytes]", texts)
    return _lengths(lengths, before), present


def _lengths(lengths: Sequence[int], before: bytes = b"") -> list[bytes]:
    """Write lengths, of which few differ."""
    written = {length: before + varint(length) for length in set(lengths)}
    return [written[length] for length in lengths]


def _text(text: bytes | None) -> bytes:
    return varint(-1) if text is None else varint(len(text)) + text


def _pair(header: Header) -> bytes:
    name, value = header
    return _text(name.encode()) + _text(value)

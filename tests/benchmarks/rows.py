"""Records for one data topic as they are laid out in its log, and who would publish them so."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aiokafka.partitioner import DefaultPartitioner

from contracts import DataTopic
from tests.benchmarks.material import MODEL

PARTITIONS = 4
TRACED = 0.01
PARTITION_OF = DefaultPartitioner()

Header = tuple[str, bytes]
Row = tuple[bytes, bytes, list[Header]]


@dataclass(frozen=True)
class Rows:
    """Records for one data topic by partition, in log order."""

    topic: DataTopic
    partitions: Sequence[list[Row]]

    def __len__(self) -> int:
        return sum(map(len, self.partitions))

    def share(self, share: float) -> Rows:
        """Take the first part of every partition."""
        return Rows(self.topic, [rows[: int(share * len(rows))] for rows in self.partitions])


def in_step(rows: Rows) -> Iterator[Row]:
    """Take rows from all partitions by turns."""
    longest = itertools.zip_longest(*rows.partitions)
    return (row for turn in longest for row in turn if row is not None)


def user_rows(topic: DataTopic, ids: Sequence[str], values: Sequence[bytes]) -> Rows:
    """Lay out records as our client publishes them: one in a hundred begins a trace."""
    return _placed(topic, ids, values, [[] for _ in ids])


def own_rows(
    topic: DataTopic, ids: Sequence[str], times: Sequence[str], values: Sequence[bytes]
) -> Rows:
    """Lay out records as our services publish them, with the CloudEvents envelope."""
    shared: tuple[Header, ...] = (
        ("ce_source", f"driftwheel/{topic.producer}".encode()),
        ("ce_type", topic.name(MODEL).encode()),
    )
    headers: Iterable[list[Header]] = (
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", name.encode()),
            *shared,
            ("ce_time", time.replace("Z", "+00:00").encode()),
            ("content-type", b"application/json"),
        ]
        for name, time in zip(ids, times, strict=True)
    )
    return _placed(topic, ids, values, headers)


def _placed(
    topic: DataTopic, ids: Sequence[str], values: Sequence[bytes], headers: Iterable[list[Header]]
) -> Rows:
    drawn, every = random.Random(4), list(range(PARTITIONS))
    rows: list[list[Row]] = [[] for _ in every]
    for name, value, own in zip(ids, values, headers, strict=True):
        if drawn.random() < TRACED:
            trace = f"00-{drawn.getrandbits(128):032x}-{drawn.getrandbits(64):016x}-01"
            own.append(("traceparent", trace.encode()))
        key = name.encode()
        rows[PARTITION_OF(key, every, every)].append((key, value, own))
    return Rows(topic, rows)

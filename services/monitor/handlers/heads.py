"""Windows at the head, as they are stored and told."""

from __future__ import annotations

import msgspec
import numpy as np

from contracts.base import Window
from contracts.performance import PredictionsCounted, VersionCounts
from services.monitor.domain.heads import Counts, HeadCounts, Heads
from services.monitor.handlers.payloads import Payloads, moment
from services.monitor.ports import Head


def unpacked(head: Head) -> Heads:
    """Read the store's windows at the head of a partition."""
    return msgspec.msgpack.decode(head.windows, type=Heads)


def packed(heads: Heads) -> bytes:
    """Write windows for the store."""
    return msgspec.msgpack.encode(heads)


def counted(
    payloads: Payloads, partition: int, partitions: int, start: int, counts: HeadCounts
) -> PredictionsCounted:
    """Write one partition's part of a window."""
    end = start + payloads.window
    return PredictionsCounted.caused_by(
        f"window:{payloads.model}:{partition}:{moment(start).isoformat()}:{counts.through}",
        model=payloads.model,
        at=moment(end + payloads.lateness),
        window=Window(start=moment(start), end=moment(end)),
        partition=partition,
        partitions=partitions,
        through=counts.through,
        versions=tuple(
            VersionCounts(
                version=version,
                baseline=one.baseline,
                n=one.n,
                late=one.late,
                counts=tuple(one.vector.tolist()),
            )
            for version, one in sorted(counts.versions.items())
        ),
    )


def heard(event: PredictionsCounted) -> HeadCounts:
    """Read one partition's part of a window."""
    versions = {
        one.version: Counts(one.baseline, one.n, one.late, np.array(one.counts, "<i8").tobytes())
        for one in event.versions
    }
    return HeadCounts(event.through, versions)

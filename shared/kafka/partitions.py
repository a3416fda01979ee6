"""Which partition a record goes to: by its key, as Kafka's own clients place it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aiokafka.partitioner import DefaultPartitioner

FEW = 16
ONE_BY_ONE = DefaultPartitioner()

Hashes = Callable[[Sequence[bytes]], Any]

_hashes: list[Hashes] = []


def load() -> None:
    """Load the compiled hash, for services that place many records at once; takes a second."""
    from shared.kafka.murmur2 import hashes

    hashes([b"key"])
    _hashes[:] = [hashes]


def load_columns() -> None:
    """Hash many keys side by side without compiled code, for services that have numpy anyway."""
    from shared.kafka.columns import hashes

    _hashes[:] = [hashes]


def partitions_of(keys: Sequence[bytes | None], partitions: Sequence[int]) -> list[int]:
    """Place records by the murmur2 hash of their keys, those without a key anywhere.

    Args:
        keys: of n records.
        partitions: of the topic, in order.

    """
    given = [key for key in keys if key is not None]
    if not _hashes or len(given) < max(FEW, len(keys)):
        return [ONE_BY_ONE(key, partitions, partitions) for key in keys]
    return [partitions[index] for index in (_hashes[0](given) % len(partitions)).tolist()]

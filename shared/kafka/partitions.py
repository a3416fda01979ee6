"""Which partition a record goes to: by its key, as Kafka's own clients place it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from aiokafka.partitioner import DefaultPartitioner

FEW = 64
ONE_BY_ONE = DefaultPartitioner()

Hashes = Callable[[Sequence[bytes]], Any]


def partitions_of(keys: Sequence[bytes | None], partitions: Sequence[int]) -> list[int]:
    """Place records by the murmur2 hash of their keys, those without a key anywhere.

    Args:
        keys: of n records.
        partitions: of the topic, in order.

    """
    given = [key for key in keys if key is not None]
    hashes = _compiled() if len(given) == len(keys) >= FEW else None
    if hashes is None:
        return [ONE_BY_ONE(key, partitions, partitions) for key in keys]
    return [partitions[index] for index in (hashes(given) % len(partitions)).tolist()]


@cache
def _compiled() -> Hashes | None:
    """Find the compiled hash; only services with hot paths have what it needs."""
    try:
        return importlib.import_module("shared.kafka.murmur2").hashes  # type: ignore[no-any-return]
    except ModuleNotFoundError:
        return None

"""What the handlers need from outside: a store, the log itself, files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.monitor.domain.watermarks import Heard
from shared.kafka import Position, Record


@dataclass(frozen=True, slots=True)
class Places:
    """How far one partition of a model has come; kept beside the data that says the same.

    Attributes:
        predictions: offset of the next prediction to count.
        labels: offset of the next label to store.
        told_predictions: outcomes of lower offsets were published before the store was lost.
        told_labels: corrections by lower offsets likewise.

    """

    predictions: int
    labels: int
    told_predictions: int = 0
    told_labels: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """Labels of one partition.

    Attributes:
        first: offset of the batch's first record.
        end: offset after its last one.
        ids: hashes of the ids, 16 bytes each, by offset.
        labels: packed labels, 24 bytes each, in the same order.

    """

    partition: int
    first: int
    end: int
    ids: bytes
    labels: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """Predictions of one partition whose time has come.

    Attributes:
        first: offset of the batch's first record.
        ids: hashes of the ids, 16 bytes each, by offset.
        offsets: of the predictions, 8 bytes each, big-endian, in the same order.
        given_up: labels known before this time, microseconds, find no prediction any more.
        grace_s: wall seconds for which these can still be corrected.

    """

    partition: int
    first: int
    ids: bytes
    offsets: bytes
    given_up: int
    grace_s: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """What the store knew about due predictions.

    Attributes:
        places: of the partition.
        windows: its packed windows, counted up to `places.predictions`.
        unmatched: labels given up now.
        records: what is remembered of each id; see `domain.labels`.

    """

    places: Places
    windows: bytes
    unmatched: int
    records: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Head:
    """What is known about the head of one partition: its packed windows.

    Attributes:
        offset: they are counted up to here.

    """

    offset: int
    windows: bytes


@dataclass(frozen=True, slots=True)
class Counted:
    """New windows of one partition, to replace those counted up to offset `known`.

    Attributes:
        end: they are counted up to here.
        ids: at the head, the ids of the offsets in between; see `domain.copies`.

    """

    partition: int
    known: int
    end: int
    windows: bytes
    ids: bytes = b""


class Store(Protocol):
    """Keeps labels, places and windows; every call is atomic per partition of a model."""

    async def advance(self, model: str, heard: Mapping[int, Heard], watermark: int) -> None:
        """Raise the event times of partitions and the model's watermark; neither ever falls."""
        ...

    async def heard(self, model: str) -> tuple[dict[int, Heard], int]:
        """Fetch each partition's greatest event time, and the model's watermark."""
        ...

    async def places(self, model: str, partition: int) -> Places | None:
        """Fetch how far a partition has come; None where the store does not know (any more)."""
        ...

    async def place(
        self, model: str, partition: int, places: Places, windows: bytes | None = None
    ) -> None:
        """Set how far a partition has come, and its windows in the same write; None keeps them."""
        ...

    async def keep(self, model: str, batches: Sequence[Arrived]) -> list[dict[int, bytes] | None]:
        """Store labels, in one round trip.

        Returns:
            Per batch: row of a label -> what is remembered of its id, where its prediction was
            joined already. None for a batch that starts beyond what the store knows.

        """
        ...

    async def claim(self, model: str, batches: Sequence[Due]) -> list[Claimed | None]:
        """Mark predictions as joined and fetch their labels, in one step and one round trip.

        Returns:
            Per batch; None for one that starts beyond what the store knows.

        """
        ...

    async def count(self, model: str, counted: Sequence[Counted]) -> list[bool]:
        """Replace windows; False where somebody else has replaced them meanwhile."""
        ...

    async def windows(self, model: str, partition: int) -> bytes:
        """Fetch a partition's packed windows; empty where there are none."""
        ...

    async def heads(self, model: str, partitions: Sequence[int]) -> list[Head | None]:
        """Fetch what is counted at the head of partitions; None where the store does not know."""
        ...

    async def place_head(self, model: str, partition: int, head: Head) -> None:
        """Set what is counted at the head of a partition, whatever was known; no ids then are."""
        ...

    async def count_heads(self, model: str, counted: Sequence[Counted]) -> list[bool]:
        """Replace windows at the head; False where somebody else has replaced them meanwhile."""
        ...

    async def recent(self, model: str, partition: int) -> bytes:
        """Fetch the ids of the last offsets that are counted, as far as they are known."""
        ...

    async def ledger(self, model: str) -> bytes | None:
        """Fetch what is known about a model's merged windows."""
        ...

    async def knows_ledgers(self) -> bool:
        """Tell whether there is a ledger of any model: without, the store is new or was lost."""
        ...

    async def write_ledger(self, model: str, ledger: bytes, known: bytes | None) -> bool:
        """Replace what was known about a model's merged windows; False where it is not any more."""
        ...


class Files(Protocol):
    """Keeps what training has written, by content."""

    def get(self, tree: str) -> Mapping[str, bytes]:
        """Fetch the files of a tree; it may take a while.

        Raises:
            OSError: a file is not (or not yet) there, or cannot be read.
            ValueError: a file has changed.

        """
        ...


class Log(Protocol):
    """Reads Kafka by offset, outside of any group."""

    async def record(self, position: Position, offset: int) -> Record | None:
        """Fetch the first record at or after an offset; None at the end."""
        ...

    async def records(self, position: Position, offsets: Collection[int]) -> dict[int, Record]:
        """Fetch the records at offsets, as far as they are still there."""
        ...

    async def bounds(self, positions: Collection[Position]) -> dict[Position, tuple[int, int]]:
        """Fetch the first offset still there and the one after the last."""
        ...

    async def offset_at(self, position: Position, timestamp_ms: int) -> int:
        """Find the first offset appended at or after a time; the end where there is none."""
        ...

    async def committed(self, group: str, positions: Collection[Position]) -> dict[Position, int]:
        """Fetch what a group has committed; without a commit a position is left out."""
        ...

    async def partitions(self, topic: str) -> int:
        """Count the partitions of a topic."""
        ...

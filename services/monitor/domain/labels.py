"""What is remembered of one event id: its labels, and whether its prediction has been joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, Self

HEADER = Struct(">qq")
ENTRY = Struct(">qdq")
WAITING = -1


class Label(NamedTuple):
    """One label of an id.

    Attributes:
        time: when the truth was known, microseconds since 1970.
        value: 0 or 1, the value, or the index of the class.
        offset: of its record in the labels' partition: the order of arrival.

    """

    time: int
    value: float
    offset: int

    def packed(self) -> bytes:
        """Write 24 bytes; the first 16 tell whether two labels say the same."""
        return ENTRY.pack(*self)

    def newer_than(self, other: Label | None) -> bool:
        """Compare by the time at which the truth was known, then by arrival."""
        return other is None or (self.time, self.offset) > (other.time, other.offset)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The store's record of one id.

    Attributes:
        prediction: offset of the prediction that was joined; WAITING before.
        joined_at: labels with a lower offset were there when it was joined.
        labels: all different ones, by arrival.

    """

    prediction: int
    joined_at: int
    labels: tuple[Label, ...]

    @classmethod
    def unpacked(cls, record: bytes) -> Self:
        """Read what the store keeps: 16 bytes, then 24 per label."""
        prediction, joined_at = HEADER.unpack_from(record)
        labels = tuple(Label(*fields) for fields in ENTRY.iter_unpack(record[HEADER.size :]))
        return cls(prediction, joined_at, labels)

    def packed(self) -> bytes:
        """Write what the store keeps."""
        head = HEADER.pack(self.prediction, self.joined_at)
        return head + b"".join(label.packed() for label in self.labels)

    def joined(self, deadline: int) -> Label | None:
        """Pick the label of the first outcome: the newest that was there and known in time.

        Args:
            deadline: latest label time, microseconds. A later truth is a correction even where it
                was there already, so that a fast replay tells what a live stream told.

        """
        chosen = None
        for label in self.labels:
            if self._in_time(label, deadline) and label.newer_than(chosen):
                chosen = label
        return chosen

    def corrections(self, deadline: int) -> Iterator[Label]:
        """List, in order of arrival, the labels that came too late and changed the truth."""
        newest = self.joined(deadline)
        for label in sorted(self.labels, key=lambda label: label.offset):
            if not self._in_time(label, deadline) and label.newer_than(newest):
                newest = label
                yield label

    def _in_time(self, label: Label, deadline: int) -> bool:
        return label.offset < self.joined_at and label.time <= deadline

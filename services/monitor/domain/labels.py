"""What is remembered of one event id: its labels, and whether its prediction has been joined.

The store keeps 16 bytes per id and 24 per label. Nearly every id has one label, or none: these are
read as columns, the others one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

HEADER = Struct(">qq")
ENTRY = Struct(">qdq")
WAITING = -1
WITH_ONE_LABEL = np.dtype(
    [
        ("prediction", ">i8"),
        ("joined_at", ">i8"),
        ("time", ">i8"),
        ("value", ">f8"),
        ("offset", ">i8"),
    ]
)
ONE_LABEL = np.dtype(WITH_ONE_LABEL.descr[2:])

# One outcome of a prediction: the row of the prediction, the label (NaN and 0 without one), whether
# it is a correction, and whether its label was not there yet when the prediction was joined.
OUTCOME = np.dtype(
    [
        ("row", np.intp),
        ("value", np.float64),
        ("time", np.int64),
        ("corrected", np.bool_),
        ("recent", np.bool_),
    ]
)

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Outcomes: TypeAlias = NDArray[np.void]


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


def packed_labels(times: Integers, values: Floats, offsets: Integers) -> bytes:
    """Write labels of which the store keeps 24 bytes each; the first 16 tell what a label says."""
    labels = np.empty(len(times), ONE_LABEL)
    labels["time"], labels["value"], labels["offset"] = times, values, offsets
    return labels.tobytes()


def joined(records: Sequence[bytes], offsets: Integers, deadlines: Integers) -> Outcomes:
    """Join predictions with what is remembered of their ids; see `Remembered`.

    A record that names another prediction is that of a copy: it has no outcome.

    Args:
        records: n, as the store keeps them.
        offsets: (n,) of the predictions.
        deadlines: (n,) latest label times, microseconds.

    Returns:
        (m,) of OUTCOME: of each prediction the first outcome, then its corrections.

    """
    width = WITH_ONE_LABEL.itemsize
    lengths = np.fromiter(map(len, records), np.int64, len(records))
    padded = b"".join([record[:width].ljust(width, b"\0") for record in records])
    known = np.frombuffer(padded, WITH_ONE_LABEL)
    own, one_label = known["prediction"] == offsets, lengths == width
    in_time = (known["offset"] < known["joined_at"]) & (known["time"] <= deadlines)
    simple = own & ((lengths == HEADER.size) | (one_label & in_time))
    first = np.zeros(len(records), OUTCOME)
    first["row"] = np.arange(len(records))
    first["value"] = np.where(one_label, known["value"], np.nan)
    first["time"] = np.where(one_label, known["time"], 0)
    others = [
        outcome
        for row in np.flatnonzero(own & ~simple).tolist()
        for outcome in _outcomes(row, Remembered.unpacked(records[row]), int(deadlines[row]))
    ]
    every: Outcomes = first[simple]
    if others:
        every = np.concatenate((every, np.array(others, OUTCOME)))
        every = every[np.argsort(every["row"], kind="stable")]
    return every


def _outcomes(
    row: int, remembered: Remembered, deadline: int
) -> Iterator[tuple[int, float, int, bool, bool]]:
    first = remembered.joined(deadline)
    yield (row, first.value, first.time, False, False) if first else (row, np.nan, 0, False, False)
    for label in remembered.corrections(deadline):
        yield row, label.value, label.time, True, label.offset >= remembered.joined_at

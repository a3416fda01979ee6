"""What a batch of events says, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Spans = NDArray[np.int64]


@dataclass(slots=True)
class Events:
    """A batch of n events; row i is of value i, and says nothing where it is not accepted.

    Attributes:
        buffer: the values joined, some padding, and the texts that stand escaped in the values.
        accepted: (n,) bool; whether the contract accepts it and no name occurs twice.
        ids: (n, 2) start and end in `buffer` of the id's text, UTF-8.
        spelled_ids: (n, 2) of the id as it stands between its quotes: `ids` but for escapes.
        times: (n, 2) of the time's text, without quotes.
        features: (n, 2) of the features object, with its braces.
        time_us: (n,) int64, microseconds since 1970; from the year 1000 on.
        matrix: (n, columns) float64 in declared order; NaN is null or missing, a bool 0 or 1, a
            category its code.
        vocabulary: code -> text of each column; the lists grow as the reader goes on.
        spans: (n, 8) what `ids`, `times` and `features` are views of, and two columns unused.

    """

    buffer: bytes
    accepted: NDArray[np.bool_]
    ids: Spans
    spelled_ids: Spans
    times: Spans
    features: Spans
    time_us: NDArray[np.int64]
    matrix: NDArray[np.float64]
    vocabulary: tuple[list[str], ...]
    spans: Spans

    @classmethod
    def blank(cls, buffer: bytes, rows: int, vocabulary: tuple[list[str], ...]) -> Self:
        """Make columns of which no row is accepted yet."""
        spans = np.zeros((rows, 8), dtype=np.int64)
        return cls(
            buffer,
            accepted=np.zeros(rows, dtype=np.bool_),
            ids=spans[:, 0:2],
            spelled_ids=spans[:, 0:2],
            times=spans[:, 2:4],
            features=spans[:, 4:6],
            time_us=np.zeros(rows, dtype=np.int64),
            matrix=np.full((rows, len(vocabulary)), np.nan),
            vocabulary=vocabulary,
            spans=spans,
        )

    def __len__(self) -> int:
        return len(self.accepted)

    def texts(self, spans: Spans) -> list[bytes]:
        """Cut the texts of `spans` out of the buffer."""
        buffer = self.buffer
        bounds = zip(spans[:, 0].tolist(), spans[:, 1].tolist(), strict=True)
        return [buffer[start:end] for start, end in bounds]

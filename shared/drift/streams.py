"""Streams: weighted sums over the cells of a window, many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Indices: TypeAlias = NDArray[np.intp]
Truths: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stream:
    """One score over some cells of a window.

    Attributes:
        what: whom it blames, such as "feature:seats".
        aspect: what about it: location, dispersion, or the cell whose share it is.
        cells: (k,) places in the window's counts.
        values: (k,) standardised score of each.
        shares: (k,) of the reference.
        rows: of the reference; infinite where the shares are not estimated.
        upward: only a rise matters.
        unit: what one standard deviation is: share points, or 1 for a score without a unit.

    """

    what: str
    aspect: str
    cells: NDArray[np.intp]
    values: Floats
    shares: Floats
    rows: float
    upward: bool = False
    unit: float = 1.0

    @property
    def named(self) -> str:
        """Name it for people."""
        plain = self.aspect in ("mean", "share")
        return self.what if plain else f"{self.what} ({self.aspect})"

    def moved_to(self, start: int) -> Stream:
        """Shift the cells, where several histograms stand side by side."""
        return Stream(
            self.what,
            self.aspect,
            self.cells + start,
            self.values,
            self.shares,
            self.rows,
            self.upward,
            self.unit,
        )


class Streams:
    """Many streams as padded arrays: what is added up over a window, for all of them at once.

    Args:
        streams: in order.

    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.each = tuple(streams)
        widest = max((len(stream.cells) for stream in streams), default=1)
        shape = (len(streams), widest)
        self.cells = np.zeros(shape, np.intp)
        self.values, self.shares, self.member = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for row, stream in enumerate(streams):
            k = len(stream.cells)
            self.cells[row, :k] = stream.cells
            self.values[row, :k] = stream.values
            self.shares[row, :k] = stream.shares
            self.member[row, :k] = 1.0
        self.rows = np.array([stream.rows for stream in streams], np.float64)
        self.upward = np.array([stream.upward for stream in streams], bool)
        self.unit = np.array([stream.unit for stream in streams], np.float64)

    def __len__(self) -> int:
        return len(self.each)

    def sums(self, vectors: Integers) -> tuple[Floats, Floats]:
        """Add up scores and rows.

        Args:
            vectors: (w, v) counts of w windows.

        Returns:
            (w, s) sums of the scores and (w, s) rows they are taken over.

        """
        counts = vectors[:, self.cells]
        return np.einsum("wsk,sk->ws", counts, self.values), np.einsum(
            "wsk,sk->ws", counts, self.member
        )

    def means(self, vectors: Integers) -> Floats:
        """Mean scores (w, s) in standard deviations; 0 without rows."""
        totals, rows = self.sums(vectors)
        return totals / np.maximum(rows, 1.0)

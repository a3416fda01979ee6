"""Cells of a column: a histogram that tells apart what matters, nulls and strangers too.

A number falls between two edges. Quantiles of the reference make about twenty such cells, every
value that holds more than a twentieth of the rows has one of its own, and one search finds all that
is unusual as well, because the edges reach from minus infinity to infinity:

    -inf | below the minimum | (edge, edge] ... | above the maximum | inf | NaN, which is null
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Column: TypeAlias = NDArray[np.float64] | Sequence[str | None]
Places: TypeAlias = NDArray[np.int32]
Codes: TypeAlias = NDArray[np.uint8]

QUANTILES = 20
CATEGORIES = 64
MOST_KNOWN = 10_000
AT_ONCE = 8192


class NumberCells(Struct, frozen=True, tag="number", dict=True):
    """Cells of a number.

    Attributes:
        edges: ascending and finite: just below the reference's minimum, up to its maximum; none if
            the reference has no finite value. A cell holds its upper edge.

    """

    edges: tuple[float, ...]

    @property
    def width(self) -> int:
        """How many cells there are."""
        return len(self.edges) + 4

    @property
    def null(self) -> int:
        """The cell of NaN."""
        return len(self.edges) + 3

    @property
    def nonfinite(self) -> tuple[int, ...]:
        """The cells of both infinities."""
        return (0, len(self.edges) + 2)

    @property
    def strange(self) -> tuple[int, ...]:
        """The cells below the reference's minimum and above its maximum."""
        return tuple(sorted({1, len(self.edges) + 1}))

    @property
    def known(self) -> range:
        """The cells of every finite value."""
        return range(1, len(self.edges) + 2)

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """All edges (k, 1), those of the unusual cells included."""
        largest = np.finfo(np.float64).max
        return np.array([[-np.inf], *([edge] for edge in self.edges), [largest], [np.inf]])

    def places(self, column: Column) -> Codes:
        """Find the cell of each value: (n,) of numbers, NaN where there is none.

        Every value is compared with every edge: without branches that is half the price of a
        search. NaN is below nothing and falls behind the last edge.
        """
        values = np.asarray(column, np.float64)
        if len(values) <= AT_ONCE:
            return self._places(values)
        pieces = [values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]
        return np.concatenate([self._places(piece) for piece in pieces])

    def _places(self, values: NDArray[np.float64]) -> Codes:
        below = (values <= self.bounds).view(np.uint8)
        places: Codes = len(self.bounds) - np.add.reduce(below, axis=0, dtype=np.uint8)
        return places

    def text(self, cell: int) -> str:
        """Describe a cell for people."""
        return f"cell {cell}"


class CategoryCells(Struct, frozen=True, tag="category", dict=True):
    """Cells of a category.

    Attributes:
        values: the most frequent ones, each with a cell, in that order.
        others: further ones that the reference knows; they share a cell.
        closed: `others` is complete, so that everything else is unseen.

    """

    values: tuple[str, ...]
    others: tuple[str, ...] = ()
    closed: bool = True

    @property
    def width(self) -> int:
        """How many cells there are."""
        return len(self.values) + 3

    @property
    def null(self) -> int:
        """The cell of None."""
        return len(self.values) + 2

    @property
    def nonfinite(self) -> tuple[int, ...]:
        """No category is infinite."""
        return ()

    @property
    def strange(self) -> tuple[int, ...]:
        """The cell of what the reference never saw."""
        return (len(self.values) + 1,)

    @property
    def known(self) -> range:
        """The cells of what the reference saw."""
        return range(len(self.values) + 1)

    @cached_property
    def codes(self) -> _Codes:
        """Value -> cell, with an answer for every value."""
        rest = len(self.values)
        codes = _Codes(rest + 1 if self.closed else rest)
        codes.update(dict.fromkeys(self.others, rest))
        codes.update({value: cell for cell, value in enumerate(self.values)})
        codes[None] = self.null
        return codes

    def places(self, column: Column) -> Codes:
        """Find the cell of each value: n texts, None where there is none."""
        return np.frombuffer(bytes(map(self.codes.__getitem__, column)), np.uint8)

    def text(self, cell: int) -> str:
        """Describe a cell for people."""
        return (*self.values, "other", "unseen", "null")[cell]


Cells: TypeAlias = NumberCells | CategoryCells


class _Codes(dict[str | None, int]):
    """A dictionary that gives strangers their cell without remembering them."""

    def __init__(self, stranger: int) -> None:
        super().__init__()
        self.stranger = stranger

    def __missing__(self, value: str | None) -> int:
        return self.stranger


def number_cells(
    values: NDArray[np.float64],
    known: NDArray[np.float64] | None = None,
    quantiles: int = QUANTILES,
) -> NumberCells:
    """Cut numbers into cells of about equal shares.

    Args:
        values: (n,) reference, any order; what is not finite is left out.
        known: (m,) further values that are not strange.
        quantiles: how many cells to aim at.

    Returns:
        at most `quantiles` cells between minimum and maximum, and one more for each value with more
        than 1/quantiles of the rows.

    """
    ordered = np.sort(values[np.isfinite(values)])
    if not len(ordered):
        return NumberCells(())
    distinct, counts = np.unique(ordered, return_counts=True)
    atoms = distinct[counts > len(ordered) / quantiles]
    rest = ordered[~np.isin(ordered, atoms)]
    pieces = max(1, round(quantiles * len(rest) / len(ordered)))
    last = np.arange(1, pieces) * len(rest) // pieces - 1  # of each cell but the top one
    edges = [rest[last[last >= 0]], atoms, np.nextafter(atoms, -np.inf)]
    span = ordered if known is None else np.append(ordered, known[np.isfinite(known)])
    ends = [np.nextafter(span.min(keepdims=True), -np.inf), span.max(keepdims=True)]
    return NumberCells(tuple(np.unique(np.concatenate(edges + ends)).tolist()))


def category_cells(values: Iterable[str | None], known: Iterable[str | None] = ()) -> CategoryCells:
    """Give the most frequent categories a cell each.

    Args:
        values: the reference's.
        known: further ones that are not strange, however rare.

    """
    counts = Counter(value for value in values if value is not None)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    others = sorted({*ranked[CATEGORIES:], *known} - {None, *ranked[:CATEGORIES]})  # type: ignore[type-var]
    texts = tuple(other for other in others if other is not None)
    if len(texts) > MOST_KNOWN:
        return CategoryCells(tuple(ranked[:CATEGORIES]), closed=False)
    return CategoryCells(tuple(ranked[:CATEGORIES]), texts)

"""One row, all trees at once: a model as one block of memory, and what walks through it.

Every test compares two bytes: numbers are ranked among the thresholds of their feature, as in
`layout`; of a category, a byte for each set of categories says whether it goes right. The nodes of
a tree stand level by level, siblings side by side, so that a node is 32 bits: the byte it looks
at, the highest one that goes left, and how far the left child is. A leaf leads to itself.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from ctypes import c_double
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.serving.domain.trees.layout import FULL, MOST_MASKS, Ladders
from services.serving.domain.trees.nodes import Bytes, Floats, Indexes, Nodes, words_of
from services.serving.domain.trees.text import CATEGORICAL, ZERO, Tree, Trees

Words = NDArray[np.uint32]
# Walks through the block whose address each argument is.
Code = Callable[[int, int, int, int], object]

RANK_SHIFT, STEP_SHIFT = 12, 20
MOST_CODES = 1 << RANK_SHIFT


class Block(NamedTuple):
    """A model as the walk reads it; in memory, places of the parts stand before them.

    Attributes:
        counts: numbers, categories, trees, classes.
        row: (features,) to be scored.
        sums: (classes,) of leaves, to be written.
        limits: what is zero, from and to; below every category; nothing.
        ladders: thresholds, as in `Numbers`.
        leaves: (nodes,) values of those that are leaves.
        features: (numbers,) what is read.
        starts: (numbers + 1,) of its ladder.
        columns: (numbers + 1,) its first code.
        lowest: (columns,) rank that is code 0.
        categories: (categories, 5) feature, size, first code, number of codes, place in `sides`.
        nodes: code, rank and step to the left child.
        roots: (trees,) where each tree begins.
        states: (trees,) where the row is.
        live: (trees,) those in which it is at no leaf yet.
        zeros: (columns,) the code of zero.
        missing: (columns,) the code of NaN.
        codes: what the tests compare.
        sides: of each category feature (size + 1, codes): 1 goes right.

    """

    counts: NDArray[np.uint64]
    row: Floats
    sums: Floats
    limits: Floats
    ladders: Floats
    leaves: Floats
    features: Words
    starts: Words
    columns: Words
    lowest: Words
    categories: Words
    nodes: Words
    roots: Words
    states: Words
    live: Words
    zeros: Bytes
    missing: Bytes
    codes: Bytes
    sides: Bytes

    def places(self) -> Indexes:
        """Find the place of each part, counted in its own elements from the start of the block."""
        starts = np.cumsum([8 * len(self), *(-(-part.nbytes // 8) * 8 for part in self)])
        widths = [part.itemsize for part in self]
        return np.asarray(starts[:-1] // widths, dtype=np.int64)

    def memory(self) -> NDArray[np.uint64]:
        """Put all of it into one piece of memory."""
        padded = [np.pad(part.ravel().view(np.uint8), (0, -part.nbytes % 8)) for part in self]
        parts = np.concatenate(padded).view(np.uint64)
        return np.concatenate([self.places().astype(np.uint64), parts])


class Walk:
    """Scores single rows as the library does, bit for bit; in one thread at a time.

    Args:
        trees: the model.
        code: machine code of `walk.py`.

    Raises:
        ValueError: its tables would be too large to be fast.

    """

    def __init__(self, trees: Trees, code: Code) -> None:
        block = _block(trees)
        memory, places = block.memory(), block.places()
        self._block, self._at = memory.data, memory.ctypes.data
        self._row, self._row_at = struct.Struct(f"{trees.features}d"), 8 * int(places[1])
        self._sums = (c_double * trees.classes).from_buffer(self._block, 8 * int(places[2]))
        self._link: Callable[[Any], float | list[float]]
        self._link = {"identity": _identity, "sigmoid": _logistic, "softmax": _softmax}[trees.link]
        self._code = code

    def score(self, values: Sequence[float]) -> float | list[float]:
        """Score one row.

        Args:
            values: one per feature; NaN is missing.

        Returns:
            The score, or one per class.

        Raises:
            ValueError: these are not as many numbers as there are features.

        """
        try:
            self._row.pack_into(self._block, self._row_at, *values)
        except struct.error as error:
            raise ValueError(f"a row is {self._row.size // 8} numbers: {error}") from error
        at = self._at
        self._code(at, at, at, at)
        return self._link(self._sums)


def _identity(sums: Sequence[float]) -> float | list[float]:
    return sums[0] if len(sums) == 1 else list(sums)


def _logistic(sums: Sequence[float]) -> float:
    return 1.0 / (1.0 + _exp(-sums[0]))


def _softmax(sums: Sequence[float]) -> list[float]:
    highest, total = max(sums), 0.0
    odds = [_exp(value - highest) for value in sums]
    for odd in odds:  # sum() may compensate, LightGBM does not
        total += odd
    return [odd / total for odd in odds]


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _block(trees: Trees) -> Block:
    nodes = Nodes.of(trees.trees, words_of(trees.trees))
    numeric, categorical = nodes.split()
    ladders = Ladders(numeric)
    columns, column = np.unique(ladders.keys(), axis=0, return_inverse=True)
    numbers = ladders.numbers(columns)
    categories, sides, code = _categories(categorical, len(columns))
    chosen = nodes.decisions & CATEGORICAL != 0
    codes, ranks = np.zeros((2, len(nodes)), dtype=np.int64)
    codes[~chosen], ranks[~chosen] = column.reshape(-1), ladders.ranks % FULL
    codes[chosen] = code
    size = len(columns) + len(categorical)
    if size > MOST_CODES:
        raise ValueError(f"{size} columns of thresholds and categories, at most {MOST_CODES}")
    words, leaves = _laid_out(trees.trees, codes | ranks << RANK_SHIFT)
    roots = np.cumsum([0, *(2 * len(tree.leaves) - 1 for tree in trees.trees[:-1])])
    counts = [len(numbers.features), len(categories), len(roots), trees.classes]
    return Block(
        counts=np.array(counts, dtype=np.uint64),
        row=np.zeros(trees.features),
        sums=np.zeros(trees.classes),
        limits=np.array([-ZERO, ZERO, -1.0, 0.0]),
        ladders=numbers.thresholds,
        leaves=leaves,
        features=_words(numbers.features),
        starts=_words(numbers.starts),
        columns=_words(numbers.columns),
        lowest=_words(numbers.lowest),
        categories=_words(categories),
        nodes=words,
        roots=_words(roots),
        states=_words(roots),
        live=_words(roots),
        zeros=numbers.zeros,
        missing=numbers.missing,
        codes=np.zeros(size, dtype=np.uint8),
        sides=sides,
    )


def _words(numbers: Any) -> Words:
    return np.asarray(numbers, dtype=np.uint32)


def _categories(nodes: Nodes, first: int) -> tuple[Indexes, Bytes, Indexes]:
    """Give each test of a category a code.

    Returns:
        `Block.categories`, `Block.sides`, and of each node its code.

    """
    code, rows, sides, place = np.zeros(len(nodes), dtype=np.int64), [], [np.empty(0, "u1")], 0
    for feature in np.unique(nodes.features).tolist():
        own = np.flatnonzero(nodes.features == feature).tolist()
        size = 1 + max((max(nodes.sets[node], default=-1) for node in own), default=-1)
        right = np.ones((size + 1, len(own)), dtype=np.uint8)
        for test, node in enumerate(own):
            right[nodes.sets[node], test] = 0
        rows.append([feature, size, first, len(own), place])
        code[own] = np.arange(first, first + len(own))
        sides.append(right.reshape(-1))
        first, place = first + len(own), place + right.size
        if place > MOST_MASKS:
            raise ValueError(f"{place >> 20} MB of categories, at most {MOST_MASKS >> 20}")
    return np.array(rows, dtype=np.int64).reshape(-1, 5), np.concatenate(sides), code


def _laid_out(trees: Sequence[Tree], tests: Indexes) -> tuple[Words, Floats]:
    """Lay the nodes of all trees out, level by level: (nodes,) words and leaves' values."""
    words, leaves = [], []
    first = np.cumsum([0, *(len(tree.features) for tree in trees)]).tolist()
    for tree, (start, end) in zip(trees, pairwise(first), strict=True):
        own, lefts, rights = tests[start:end].tolist(), tree.lefts.tolist(), tree.rights.tolist()
        found = [0 if own else ~0]
        for place, node in enumerate(found):  # it grows: siblings come one after the other
            if node < 0:
                words.append(FULL << RANK_SHIFT)
                leaves.append(float(tree.leaves[~node]))
                continue
            words.append(own[node] | len(found) - place << STEP_SHIFT)
            leaves.append(0.0)
            found += [lefts[node], rights[node]]
    return _words(words), np.array(leaves)

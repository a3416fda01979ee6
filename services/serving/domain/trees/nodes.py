"""All nodes of a model side by side, and the leaves that each rules out when its test fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Self

import numpy as np
from numpy.typing import NDArray

from services.serving.domain.trees.text import CATEGORICAL, Tree

WORD = 8

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes as columns.

    Attributes:
        lows: (nodes,) position of the first leaf below,
        highs: (nodes,) and the end of the leaves below to the left.
        sets: (nodes,) the categories that go left; of a number none.

    """

    features: Ints
    thresholds: Floats
    decisions: Ints
    lows: Indexes
    highs: Indexes
    sets: Sequence[Ints]

    @classmethod
    def of(cls, trees: Sequence[Tree], words: Ints) -> Self:
        """Put the nodes of trees side by side, where tree t has the leaves from 8 words[t] on."""
        spans = [_places(tree)[0] + WORD * start for tree, start in zip(trees, words, strict=False)]
        lows, highs = np.concatenate(spans, axis=1)
        return cls(
            np.concatenate([tree.features for tree in trees]),
            np.concatenate([tree.thresholds for tree in trees]),
            np.concatenate([tree.decisions for tree in trees]),
            lows,
            highs,
            [categories for tree in trees for categories in _sets(tree)],
        )

    def __len__(self) -> int:
        return len(self.features)

    def split(self) -> tuple[Self, Self]:
        """Part those that test numbers from those that test categories."""
        categorical = self.decisions & CATEGORICAL != 0
        return self._only(~categorical), self._only(categorical)

    def spread(self) -> tuple[Indexes, Indexes, Bytes]:
        """Spread the leaves that each failing test rules out over words of eight.

        Returns:
            word by word: index of the node, word, and which of its bits remain.

        """
        first, last = self.lows // WORD, (self.highs - 1) // WORD
        counts = last - first + 1
        node = np.repeat(np.arange(len(self)), counts)
        word = np.arange(len(node)) - np.repeat(np.cumsum(counts) - counts - first, counts)
        low = np.maximum(self.lows[node] - WORD * word, 0)
        high = np.minimum(self.highs[node] - WORD * word, WORD)
        kept = (0xFF ^ (1 << high) - 1 ^ (1 << low) - 1).astype(np.uint8)
        order = np.argsort(word, kind="stable")
        return node[order], word[order], kept[order]

    def _only(self, chosen: NDArray[np.bool_]) -> Self:
        return type(self)(
            self.features[chosen],
            self.thresholds[chosen],
            self.decisions[chosen],
            self.lows[chosen],
            self.highs[chosen],
            list(compress(self.sets, chosen)),
        )


def words_of(trees: Sequence[Tree]) -> Ints:
    """Give every tree words enough for its leaves: (trees + 1,) its first word."""
    counts = [-(-len(tree.leaves) // WORD) for tree in trees]
    return np.cumsum([0, *counts], dtype=np.int32)


def leaves_of(trees: Sequence[Tree], words: Ints) -> Floats:
    """List the values of all leaves, left to right: (8 words,)."""
    values = np.zeros(WORD * words[-1])
    for tree, start in zip(trees, words, strict=False):
        values[WORD * start + _places(tree)[1]] = tree.leaves
    return values


def _places(tree: Tree) -> tuple[Indexes, Indexes]:
    """Count the leaves of a tree from left to right.

    Returns:
        (2, nodes) the first leaf below each node and the end of those to its left;
        (nodes + 1,) the place of each leaf.

    """
    nodes = len(tree.features)
    lefts, rights = tree.lefts.tolist(), tree.rights.tolist()
    sizes = [0] * nodes + [1] * (nodes + 1)  # Python finds leaf ~i at index ~i
    for node in reversed(range(nodes)):  # a child comes after its parent
        sizes[node] = sizes[lefts[node]] + sizes[rights[node]]
    lows, highs = [0] * len(sizes), [0] * nodes
    for node in range(nodes):
        highs[node] = lows[node] + sizes[lefts[node]]
        lows[lefts[node]], lows[rights[node]] = lows[node], highs[node]
    places = np.array([lows[:nodes], highs], dtype=np.int64)
    return places, np.array(lows[nodes:][::-1])


def _sets(tree: Tree) -> list[Ints]:
    none = np.empty(0, dtype=np.int32)
    return [
        tree.categories[int(threshold)] if decision & CATEGORICAL else none
        for decision, threshold in zip(tree.decisions, tree.thresholds, strict=True)
    ]

"""Trees -> tables for the kernel.

The leaves of a tree, left to right, are bits in words of eight. A test that fails rules out the
leaves to its left: one *step* for each word in which they have bits. Of the leaves that no test
rules out the lowest is where the row ends (QuickScorer: Lucchese et al., SIGIR 2015; in bytes:
RapidScorer, Ye et al., KDD 2018).

A number is ranked once among the thresholds of its feature, so that a test compares bytes. A
feature has several byte *columns* where its thresholds are many, and where its missing values go
left in one node and right in another. Of a category all steps of a word are looked up at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.serving.domain.trees.nodes import (
    Bytes,
    Floats,
    Indexes,
    Ints,
    Nodes,
    leaves_of,
    words_of,
)
from services.serving.domain.trees.text import (
    DEFAULT_LEFT,
    MISSING,
    NAN_MISSING,
    ZERO_MISSING,
    Trees,
)

FULL = 255
MOST_COLUMNS, MOST_MASKS = 4096, 64 << 20


class Numbers(NamedTuple):
    """How numbers become bytes.

    Attributes:
        features: (numbers,) what is read.
        starts: (numbers + 1,) of its thresholds, which are padded with infinity to 2^k.
        thresholds: ascending for each number.
        columns: (numbers + 1,) its first column.
        lowest: (columns,) rank that is byte 0; 255 ranks on, all are byte 255.
        zeros: (columns,) the byte of zero.
        missing: (columns,) the byte of NaN.

    """

    features: Ints
    starts: Ints
    thresholds: Floats
    columns: Ints
    lowest: Ints
    zeros: Bytes
    missing: Bytes


class Steps(NamedTuple):
    """Tests of numbers: where byte `columns` is above `ranks`, only `kept` remains of the word.

    Attributes:
        starts: (words + 1,) first step of each word.
        columns: (steps,) which byte is compared.
        ranks: (steps,) up to where the test holds.
        kept: (steps,) bits of the leaves that are not ruled out.

    """

    starts: Ints
    columns: Ints
    ranks: Bytes
    kept: Bytes


class Lookups(NamedTuple):
    """Tests of categories: of a word remains what the masks keep at the category's code.

    Attributes:
        features: (categories,) what is read.
        sizes: (categories,) its codes are 0 to size - 1, and `size` for all other values.
        starts: (words + 1,) first look-up of each word.
        categories: (lookups,) whose code is looked up.
        offsets: (lookups,) where its masks start.
        masks: bits of the leaves that are not ruled out.

    """

    features: Ints
    sizes: Ints
    starts: Ints
    categories: Ints
    offsets: Ints
    masks: Bytes


class Tables(NamedTuple):
    """A model as the kernel reads it.

    Attributes:
        numbers: how numbers become bytes.
        steps: tests of numbers.
        lookups: tests of categories.
        words: (trees + 1,) first word of each tree.
        leaves: (8 words,) values, left to right.

    """

    numbers: Numbers
    steps: Steps
    lookups: Lookups
    words: Ints
    leaves: Floats


def tables(trees: Trees) -> Tables:
    """Lay out a model.

    Raises:
        ValueError: its tables would be too large to be fast.

    """
    words = words_of(trees.trees)
    numeric, categorical = Nodes.of(trees.trees, words).split()
    ladders = Ladders(numeric)
    columns, column = np.unique(ladders.keys(), axis=0, return_inverse=True)
    return Tables(
        ladders.numbers(columns),
        _steps(numeric, column.reshape(-1), ladders.ranks % FULL, words[-1]),
        _lookups(categorical, words[-1]),
        words,
        leaves_of(trees.trees, words),
    )


class Ladders:
    """The thresholds of every feature in ascending order, and the rank of each node's."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.features, self.number = np.unique(nodes.features, return_inverse=True)
        self.ladders, self.ranks = [], np.zeros(len(nodes), dtype=np.int64)
        for number in range(len(self.features)):
            own = self.number == number
            ladder, self.ranks[own] = np.unique(nodes.thresholds[own], return_inverse=True)
            self.ladders.append(ladder)

    def keys(self) -> Indexes:
        """Name each node's column: number, 255 ranks of it, what is missing and goes where."""
        kinds = self.nodes.decisions & (MISSING | DEFAULT_LEFT)
        kinds[kinds & MISSING == 0] = 0
        return np.column_stack([self.number, self.ranks // FULL, kinds])

    def numbers(self, columns: Indexes) -> Numbers:
        """Lay out the thresholds, and the columns that `keys` names."""
        if len(columns) > MOST_COLUMNS:
            raise ValueError(f"{len(columns)} columns of thresholds, at most {MOST_COLUMNS}")
        owner, lowest, kind = columns[:, 0], columns[:, 1] * FULL, columns[:, 2]
        zero = np.array([np.searchsorted(ladder, 0.0) for ladder in self.ladders], dtype=np.int64)
        default = np.where(kind & DEFAULT_LEFT, 0, FULL)
        ranked = np.clip(zero[owner] - lowest, 0, FULL)
        zeros = np.where(kind & MISSING == ZERO_MISSING, default, ranked)
        missing = np.where(kind & MISSING == NAN_MISSING, default, zeros)
        padded = [_padded(ladder) for ladder in self.ladders]
        return Numbers(
            self.features.astype(np.int32),
            np.cumsum([0, *map(len, padded)], dtype=np.int32),
            np.concatenate([np.empty(0), *padded]),
            np.searchsorted(owner, np.arange(len(self.features) + 1)).astype(np.int32),
            lowest.astype(np.int32),
            zeros.astype(np.uint8),
            missing.astype(np.uint8),
        )


def _padded(ladder: Floats) -> Floats:
    """Fill up with infinity: a search in 2^k steps then never leaves it."""
    return np.pad(
        ladder, (0, (1 << len(ladder).bit_length()) - len(ladder)), constant_values=np.inf
    )


def _steps(nodes: Nodes, columns: Indexes, ranks: Indexes, words: int) -> Steps:
    node, word, kept = nodes.spread()
    starts = np.searchsorted(word, np.arange(words + 1)).astype(np.int32)
    return Steps(starts, columns[node].astype(np.int32), ranks[node].astype(np.uint8), kept)


def _lookups(nodes: Nodes, words: int) -> Lookups:
    features, owner = np.unique(nodes.features, return_inverse=True)
    sizes = np.zeros(len(features), dtype=np.int64)
    np.maximum.at(sizes, owner, [1 + max(chosen, default=-1) for chosen in nodes.sets])
    node, word, kept = nodes.spread()
    keys = np.column_stack([word, owner[node]])
    lookups, lookup = np.unique(keys, axis=0, return_inverse=True)
    offsets = np.cumsum([0, *(sizes[lookups[:, 1]] + 1)])
    if offsets[-1] > MOST_MASKS:
        raise ValueError(f"{offsets[-1] >> 20} MB of masks, at most {MOST_MASKS >> 20}")
    masks = np.full(offsets[-1], FULL, dtype=np.uint8)
    for test, target, bits in zip(node, lookup.reshape(-1), kept, strict=True):
        right = np.full(offsets[target + 1] - offsets[target], bits)
        right[nodes.sets[test]] = FULL
        masks[offsets[target] : offsets[target + 1]] &= right
    return Lookups(
        features.astype(np.int32),
        sizes.astype(np.int32),
        np.searchsorted(lookups[:, 0], np.arange(words + 1)).astype(np.int32),
        lookups[:, 1].astype(np.int32),
        offsets[:-1].astype(np.int32),
        masks,
    )

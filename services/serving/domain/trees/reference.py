"""The trees as one would walk them by hand: what the kernel is tested against."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.serving.domain.trees.text import (
    CATEGORICAL,
    DEFAULT_LEFT,
    MISSING,
    NAN_MISSING,
    ZERO,
    ZERO_MISSING,
    Tree,
    Trees,
)


def scores(trees: Trees, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score n rows one by one.

    Args:
        trees: the model.
        matrix: (n, features).

    Returns:
        (n,), or (n, classes) for several classes.

    """
    linked = np.array([_linked(trees, _sums(trees, row)) for row in matrix.tolist()])
    return linked if trees.classes > 1 else linked.reshape(len(matrix))


def goes_left(tree: Tree, node: int, value: float) -> bool:
    """Decide one test as LightGBM does."""
    decision = int(tree.decisions[node])
    if decision & CATEGORICAL:
        categories = tree.categories[int(tree.thresholds[node])]
        return -1 < value < 2**31 and int(value) in categories
    missing = decision & MISSING
    if abs(value) <= ZERO or (math.isnan(value) and missing != NAN_MISSING):
        value = 0.0
    if (missing == ZERO_MISSING and value == 0.0) or (missing == NAN_MISSING and math.isnan(value)):
        return bool(decision & DEFAULT_LEFT)
    return value <= float(tree.thresholds[node])


def _sums(trees: Trees, row: Sequence[float]) -> list[float]:
    sums = [0.0] * trees.classes
    for number, tree in enumerate(trees.trees):
        sums[number % trees.classes] += _leaf(tree, row)
    return sums


def _leaf(tree: Tree, row: Sequence[float]) -> float:
    node = 0 if len(tree.features) else ~0
    while node >= 0:
        value = row[tree.features[node]]
        node = int((tree.lefts if goes_left(tree, node, value) else tree.rights)[node])
    return float(tree.leaves[~node])


def _linked(trees: Trees, sums: list[float]) -> list[float]:
    if trees.link == "sigmoid":
        return [1.0 / (1.0 + _exp(-sums[0]))]
    if trees.link == "softmax":
        odds = [_exp(value - max(sums)) for value in sums]
        total = 0.0
        for odd in odds:  # sum() may compensate, LightGBM does not
            total += odd
        return [odd / total for odd in odds]
    return sums


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf

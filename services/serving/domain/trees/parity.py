"""Rows that tell two readings of the same trees apart, and whether they did."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
from numpy.typing import NDArray

from services.serving.domain.trees.text import CATEGORICAL, ZERO, Trees

Matrix = NDArray[np.float64]
Scores = NDArray[np.float64]

SPECIAL: tuple[float, ...] = (
    *(np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, -0.5, 1e9, -1e9, 3e9, 1e300, -1e300),
    *(1e-36, -1e-36, 1e-35, -1e-35, ZERO, -ZERO, np.nextafter(ZERO, 1), -np.nextafter(ZERO, 1)),
)


def adversarial_rows(trees: Trees, count: int, seed: int = 0) -> Matrix:
    """Make up rows at the edges of every test.

    Half of the values are thresholds or categories, a quarter the floating-point numbers next to
    them, the others NaN, infinities, what LightGBM takes for zero and what it just does not.

    Args:
        trees: the model.
        count: number of rows.
        seed: other seeds, other rows.

    Returns:
        (count, features), column-major.

    """
    random = Random(seed)  # numpy's takes megabytes
    matrix = np.empty((count, trees.features), order="F")
    for feature, edges in enumerate(_edges(trees)):
        with np.errstate(over="ignore"):
            near = np.nextafter(edges, random.choices([-np.inf, np.inf], k=len(edges)))
        source = random.choices(range(3), weights=[2, 1, 1], k=count)
        drawn = [
            random.choices(values or SPECIAL, k=count)
            for values in (edges.tolist(), near.tolist(), SPECIAL)
        ]
        matrix[:, feature] = np.choose(source, drawn)
    return matrix


def disagreement(
    trees: Trees, ours: Callable[[Matrix], Scores], library: Callable[[Matrix], Scores], rows: int
) -> str | None:
    """Compare with the library, bit for bit, on adversarial rows.

    Args:
        trees: the model.
        ours: scores a matrix.
        library: likewise.
        rows: how many to try.

    Returns:
        None where all are equal, otherwise what the first difference is.

    """
    matrix = adversarial_rows(trees, rows)
    found, expected = ours(matrix), library(matrix)
    if found.shape != expected.shape:
        return f"scores of shape {found.shape}, the library's have {expected.shape}"
    different = np.argwhere(~((found == expected) | (np.isnan(found) & np.isnan(expected))))
    if not len(different):
        return None
    first, count = tuple(different[0]), f"{len(different)} of {found.size}"
    return f"{count} scores differ, as {found[first]} from {expected[first]}"


def _edges(trees: Trees) -> list[NDArray[np.float64]]:
    """List of each feature its thresholds, its categories and their neighbours."""
    edges: list[list[NDArray[np.float64]]] = [[np.empty(0)] for _ in range(trees.features)]
    for tree in trees.trees:
        numeric = tree.decisions & CATEGORICAL == 0
        for feature in np.unique(tree.features[numeric]).tolist():
            edges[feature].append(tree.thresholds[numeric & (tree.features == feature)])
        for node in np.flatnonzero(~numeric).tolist():
            chosen = tree.categories[int(tree.thresholds[node])].astype(np.float64)
            edges[tree.features[node]] += [chosen, chosen + 1.0]
    return [np.unique(np.concatenate(values)) for values in edges]

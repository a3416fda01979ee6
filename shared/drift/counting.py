"""Columns to cell numbers to counts: additive, exact, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.drift.cells import Cells, Column, Places

Scores: TypeAlias = NDArray[np.float64]
MOST_CLASSES = 10


def score_columns(task: str, classes: Sequence[str], scores: Scores) -> list[Scores]:
    """Name what is watched of a score: itself, or the chosen class and each of up to ten classes.

    Args:
        task: binary, multiclass or regression.
        classes: of a multiclass model.
        scores: (n,) or (n, classes).

    Returns:
        columns (n,) in the order of `score_names`.

    """
    if task != "multiclass":
        return [scores]
    each = [scores[:, index] for index in range(len(classes))] if _each(classes) else []
    return [scores.max(axis=1), *each]


def score_names(task: str, classes: Sequence[str]) -> list[str]:
    """Name the columns of `score_columns`."""
    each = classes if task == "multiclass" and _each(classes) else ()
    return ["score", *(f"score:{name}" for name in each)]


def _each(classes: Sequence[str]) -> bool:
    return len(classes) <= MOST_CLASSES


class InputCells:
    """Cells of all features and scores side by side.

    Args:
        features: of each feature, in the order of the declaration.
        scores: of each column of the score.
        task: tells what the columns of the score are.
        classes: of a multiclass model.

    """

    def __init__(
        self, features: Sequence[Cells], scores: Sequence[Cells], task: str, classes: Sequence[str]
    ) -> None:
        self.features = tuple(features)
        self.cells: tuple[Cells, ...] = (*features, *scores)
        self.task, self.classes = task, tuple(classes)
        ends = list(accumulate(cells.width for cells in self.cells))
        self.width = ends[-1]
        self.starts = [0, *ends[:-1]]

    def places(self, features: Sequence[Column], scores: Scores) -> Places:
        """Find the cells of n rows.

        Args:
            features: columns of n values, in the order of the declaration.
            scores: (n,) or (n, classes).

        Returns:
            (n, features and scores) cell numbers below `width`.

        Raises:
            ValueError: another number of features than the baseline has.

        """
        if len(features) != len(self.features):
            raise ValueError(f"{len(features)} features, the baseline has {len(self.features)}")
        columns = [*features, *score_columns(self.task, self.classes, scores)]
        found = np.empty((len(columns), len(scores)), np.int32)
        for row, start, cells, column in zip(found, self.starts, self.cells, columns, strict=True):
            np.add(cells.places(column), np.int32(start), out=row)
        return found.T

    def counts(self, places: Places, groups: NDArray[np.intp], g: int) -> NDArray[np.int64]:
        """Count rows by cell.

        Args:
            places: (n, k) of `places`.
            groups: (n,) group of each row, below `g`.
            g: how many groups there are.

        Returns:
            (g, width) counts.

        """
        return grouped(places, groups, g, self.width)


class OutcomeCells:
    """Cells of the loss, and cells of score and label together.

    Args:
        losses: edges between the cells of the loss, ascending.
        residuals: for each watched class the edges of its score and of its residual.
        task: binary, multiclass or regression.
        classes: of a multiclass model.

    """

    def __init__(
        self,
        losses: Sequence[float],
        residuals: Sequence[tuple[Sequence[float], Sequence[float]]],
        task: str,
        classes: Sequence[str],
    ) -> None:
        self.task, self.classes = task, tuple(classes)
        self.edges = np.array(losses)
        self.loss_width = len(losses) + 1
        self.pairs = [(np.array(score), np.array(residual)) for score, residual in residuals]
        self.blocks = [(len(score) + 1) * (len(residual) + 1) for score, residual in self.pairs]
        self.residual_width = sum(self.blocks)

    def losses(self, losses: Scores) -> NDArray[np.intp]:
        """Find the cell of each loss: (n,) below `loss_width`."""
        return np.searchsorted(self.edges, losses, side="left")

    def residuals(self, scores: Scores, labels: Scores) -> NDArray[np.intp]:
        """Find the cell of score and label.

        Args:
            scores: (n,) or (n, classes).
            labels: (n,) 0 or 1, a value, or the index of the class.

        Returns:
            (n,) below `residual_width`; (n, k) for several classes, one each.

        """
        columns = []
        start = 0
        sides = residual_sides(self.task, self.classes, scores, labels)
        for block, (score_edges, edges), (_, score, label) in zip(
            self.blocks, self.pairs, sides, strict=True
        ):
            against = label - score if self.task == "regression" else label
            row = np.searchsorted(score_edges, score, side="left")
            column = np.searchsorted(edges, against, side="left")
            columns.append(start + row * (len(edges) + 1) + column)
            start += block
        return np.stack(columns, axis=1) if self.task == "multiclass" else columns[0]


def residual_sides(
    task: str, classes: Sequence[str], scores: Scores, labels: Scores
) -> list[tuple[str, Scores, Scores]]:
    """Pair scores with what they stand against, once per watched class.

    Returns:
        the class (empty if there is but one pair), scores (n,), labels (n,): the label itself,
        whether it is the class, or whether it is the chosen one.

    """
    if task != "multiclass":
        return [("", scores, labels)]
    if not _each(classes):
        return [("", scores.max(axis=1), (scores.argmax(axis=1) == labels).astype(np.float64))]
    return [
        (name, scores[:, index], (labels == index).astype(np.float64))
        for index, name in enumerate(classes)
    ]


def grouped(
    places: NDArray[np.integer], groups: NDArray[np.intp], g: int, width: int
) -> NDArray[np.int64]:
    """Count rows by group and cell: (n,) or (n, k) cells give (g, width)."""
    if places.ndim == 1:
        places = places[:, None]
    flat = places + (groups * width)[:, None] if g > 1 else places
    # The order in memory is as good as any, and costs no copy.
    return np.bincount(flat.ravel(order="K"), minlength=g * width).reshape(g, width)

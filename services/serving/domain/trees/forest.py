"""A model that scores whole batches."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from services.serving.domain.trees.layout import tables
from services.serving.domain.trees.text import Trees, parse

Matrix = NDArray[np.float64]
Scores = NDArray[np.float64]


class Forest:
    """Scores rows as the library does, bit for bit.

    Building one imports numba, and the first one compiles the kernel or reads it from numba's
    cache: seconds that do not belong on an event loop.

    Args:
        trees: the model.

    Attributes:
        row_us: rough CPU microseconds per row of a large batch.

    Raises:
        ValueError: its tables would be too large to be fast.

    """

    def __init__(self, trees: Trees) -> None:
        from services.serving.domain.trees import kernel

        self.trees, self._tables = trees, tables(trees)
        self.row_us = (
            0.2 + 4e-5 * len(self._tables.steps.kept) + 6e-4 * len(self._tables.lookups.offsets)
        )
        self._add = kernel.add
        self._link = {"sigmoid": kernel.logistic, "softmax": kernel.softmax}.get(trees.link)
        self.scores(np.zeros((1, trees.features)))

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a model as LightGBM writes it.

        Raises:
            ValueError: it is damaged, or of a kind that is left to the library; says which.

        """
        return cls(parse(text))

    def scores(self, matrix: Matrix) -> Scores:
        """Score n rows without the interpreter's lock; 64 rows cost no more than one.

        Args:
            matrix: (n, features), row by row or column by column; another order is copied first.

        Returns:
            (n,), or (n, classes) for several classes.

        Raises:
            ValueError: the matrix has another shape or type.

        """
        if matrix.shape[1:] != (self.trees.features,) or matrix.dtype != np.float64:
            raise ValueError(
                f"{matrix.dtype} of shape {matrix.shape}, expected float64 of shape "
                f"(n, {self.trees.features})"
            )
        rows, columns = matrix.shape
        if matrix.flags.f_contiguous:
            values, strides = matrix.T.reshape(-1), (1, rows)
        else:
            values, strides = np.ascontiguousarray(matrix).reshape(-1), (columns, 1)
        scores = np.empty((rows, self.trees.classes))
        self._add(self._tables, values, strides, scores)
        if self._link is not None:
            self._link(scores)
        return scores if self.trees.classes > 1 else scores.reshape(rows)

"""Models as files: what training writes is what serving reads, without pickle.

A model is a tree of `model.json` {"algorithm", "task", "columns", ...} and, for LightGBM, its text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.booster import Booster
from shared.columns import Columns, Matrix

Scores = NDArray[np.float64]

TREE_US = 0.04


class Model(Protocol):
    """Anything that scores rows."""

    @property
    def algorithm(self) -> str:
        """Its family."""
        ...

    @property
    def columns(self) -> Columns | None:
        """What `scores` expects; None where it looks at nothing."""
        ...

    @property
    def row_us(self) -> float:
        """Rough CPU microseconds per row of a large batch, to decide where to score."""
        ...

    def scores(self, matrix: Matrix) -> Scores:
        """Score n rows: (n,) probabilities or values, (n, classes) for several classes.

        Args:
            matrix: (n, columns) as `Columns.matrix` makes it.

        """
        ...

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Score n rows of named features."""
        ...


class Prior:
    """Version 0.0.0: the same answer for everything."""

    algorithm = "prior"
    columns = None
    row_us = 0.0

    def __init__(self, answer: float | Sequence[float]) -> None:
        self.answer = np.asarray(answer, dtype=np.float64)

    def scores(self, matrix: Matrix) -> Scores:
        """Repeat the constant."""
        return self._repeated(len(matrix))

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Repeat the constant."""
        return self._repeated(len(features))

    def _repeated(self, times: int) -> Scores:
        return np.broadcast_to(self.answer, (times, *self.answer.shape))


class Linear:
    """A generalised linear model on standardised and indicator columns."""

    algorithm = "linear"
    row_us = 1.0

    def __init__(
        self, columns: Columns, task: str, weights: NDArray[np.float64], design: Any
    ) -> None:
        self.columns, self.task, self.weights, self.design = columns, task, weights, design

    def scores(self, matrix: Matrix) -> Scores:
        """Score by link(X w)."""
        return linked(self.task, expand(matrix, self.design) @ self.weights)

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Score rows of named features."""
        return self.scores(self.columns.matrix(features))


class Boosted:
    """A LightGBM model, predicted by LightGBM's own library.

    Attributes:
        text: the model as LightGBM writes it.
        score_one: scores one row of numbers in column order, NaN for missing.

    Raises:
        ValueError: LightGBM refuses the text, or its model has other columns.

    """

    algorithm = "lightgbm"

    def __init__(self, columns: Columns, text: str) -> None:
        self.columns, self.text = columns, text
        self.booster = Booster(text)
        if self.booster.features != len(columns.names):
            raise ValueError(
                f"a model of {self.booster.features} features for {len(columns.names)} columns"
            )
        self.score_one = self.booster.predict_row
        self.row_us = TREE_US * text.count("\nTree=")

    def scores(self, matrix: Matrix) -> Scores:
        """Score as `lightgbm.Booster.predict` does: the same bits."""
        rows, classes = len(matrix), self.booster.classes
        if matrix.shape[1:] != (self.booster.features,):
            raise ValueError(f"rows of shape {matrix.shape[1:]}, not {self.booster.features} wide")
        matrix = np.asarray(matrix, dtype=np.float64)
        if not matrix.flags.f_contiguous:
            matrix = np.ascontiguousarray(matrix)
        scores = np.empty((rows, classes))
        row_major = matrix.flags.c_contiguous
        self.booster.predict(rows, matrix.ctypes.data, scores.ctypes.data, row_major=row_major)
        return scores if classes > 1 else scores.reshape(rows)

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Turn features into columns, then score."""
        return self.scores(self.columns.matrix(features))


def expand(matrix: Matrix, design: Sequence[Mapping[str, Any]]) -> Matrix:
    """Build the columns of a linear model: 1, then per feature z-score and missing, or indicators.

    Args:
        matrix: (n, features) as `Columns.matrix` makes it.
        design: per feature {"mean", "sd"} or {"codes"}.

    """
    parts = [np.ones((len(matrix), 1))]
    for column, rule in enumerate(design):
        values = matrix[:, column]
        if "codes" in rule:
            parts.append((values[:, None] == np.arange(rule["codes"])).astype(np.float64))
        else:
            missing = np.isnan(values)
            z = (np.where(missing, rule["mean"], values) - rule["mean"]) / rule["sd"]
            parts.append(np.column_stack([np.clip(z, -10, 10), missing]))
    return np.hstack(parts)


def linked(task: str, linear: NDArray[np.float64]) -> Scores:
    """Turn linear predictors into scores: logistic, softmax or identity."""
    if task == "binary":
        return 1.0 / (1.0 + np.exp(-np.clip(linear, -500, 500)))
    if task == "multiclass":
        odds = np.exp(linear - linear.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))
    return linear


def load(files: Mapping[str, bytes]) -> Model:
    """Open a model from verified files.

    Raises:
        ValueError: the files are no model of ours.

    """
    document = json.loads(files["model.json"])
    algorithm = document["algorithm"]
    if algorithm == "prior":
        return Prior(document["answer"])
    columns = Columns.from_json(document["columns"])
    if algorithm == "linear":
        weights = np.asarray(document["weights"], dtype=np.float64)
        return Linear(columns, document["task"], weights, document["design"])
    if algorithm == "lightgbm":
        return Boosted(columns, files["model.txt"].decode())
    raise ValueError(f"unknown algorithm {algorithm!r}")

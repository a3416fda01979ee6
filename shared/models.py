"""Models as files: what training writes is what serving reads, without pickle.

A model is a tree of `model.json` {"algorithm", "task", "columns", ...} and, for LightGBM, its text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.columns import Columns, Matrix

Scores = NDArray[np.float64]


class Model(Protocol):
    """Anything that scores rows."""

    algorithm: str

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Score n rows: (n,) probabilities or values, (n, classes) for several classes."""
        ...


class Prior:
    """Version 0.0.0: the same answer for everything."""

    algorithm = "prior"

    def __init__(self, answer: float | Sequence[float]) -> None:
        self.answer = np.asarray(answer, dtype=np.float64)

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Repeat the constant."""
        return np.broadcast_to(self.answer, (len(features), *self.answer.shape))


class Linear:
    """A generalised linear model on standardised and indicator columns."""

    algorithm = "linear"

    def __init__(
        self, columns: Columns, task: str, weights: NDArray[np.float64], design: Any
    ) -> None:
        self.columns, self.task, self.weights, self.design = columns, task, weights, design

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Score by link(X w)."""
        return linked(self.task, expand(self.columns.matrix(features), self.design) @ self.weights)


class Boosted:
    """A LightGBM model, predicted on one thread: OpenMP spins on busy cores."""

    algorithm = "lightgbm"

    def __init__(self, columns: Columns, text: str) -> None:
        import lightgbm

        self.columns = columns
        self.booster = lightgbm.Booster(model_str=text)

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Score by `Booster.predict`."""
        return np.asarray(self.booster.predict(self.columns.matrix(features), num_threads=1))


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

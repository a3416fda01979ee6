"""LightGBM models scored by compiled trees, wherever these are sure to say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from services.serving.domain.trees import Code, Forest, Trees, Walk, disagreement, parse
from shared.columns import Matrix
from shared.models import Boosted, Model, Scores
from shared.telemetry import Telemetry

FEW = 3  # a block of the kernel costs as much as so many rows cost the library
TRIED_ROWS = 2000


class InBlocks:
    """A LightGBM model whose large batches go through compiled trees, bit for bit the same.

    Raises:
        ValueError: its trees cannot be compiled; says why.

    """

    algorithm = Boosted.algorithm

    def __init__(self, model: Boosted, trees: Trees) -> None:
        self.model, self.forest = model, Forest(trees)
        self.columns, self.score_one = model.columns, model.score_one
        self.row_us, self.own = self.forest.row_us, self.forest.scores

    def scores(self, matrix: Matrix) -> Scores:
        """Score as the library does, which is faster on a few rows."""
        return (self.model if len(matrix) < FEW else self.forest).scores(matrix)

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Score rows of named features."""
        return self.scores(self.columns.matrix(features))


class RowByRow:
    """A LightGBM model whose single rows go through machine code, bit for bit the same.

    Raises:
        ValueError: its trees cannot be compiled; says why.

    """

    algorithm = Boosted.algorithm

    def __init__(self, model: Boosted, trees: Trees, code: Callable[[], Code]) -> None:
        self.score_one = Walk(trees, code()).score
        self.columns, self.row_us = model.columns, model.row_us
        self.scores, self.score = model.scores, model.score

    def own(self, matrix: Matrix) -> Scores:
        """Score one row after the other."""
        return np.array([self.score_one(row) for row in matrix.tolist()])


Way = Callable[[Boosted, Trees], InBlocks | RowByRow]


class Compiler:
    """Compiles models, or says why the library keeps scoring them.

    Args:
        telemetry: told of that.
        way: makes a model whose `own` scores can be compared with the library's.

    """

    def __init__(self, telemetry: Telemetry, way: Way) -> None:
        self.telemetry, self.way = telemetry, way

    def __call__(self, model: Model) -> Model:
        """Compile a model."""
        if not isinstance(model, Boosted):
            return model
        try:
            trees = parse(model.text)
            compiled = self.way(model, trees)
        except ValueError as error:
            self.telemetry.count("scorer_fallback", "refused")
            self.telemetry.log.warning("scored by LightGBM's library, slower: %s", error)
            return model
        difference = disagreement(trees, compiled.own, model.scores, TRIED_ROWS)
        if difference is None:
            return compiled
        self.telemetry.count("scorer_fallback", "disagrees")
        self.telemetry.log.error(
            "compiled trees are not used, they differ from LightGBM: %s", difference
        )
        return model

"""LightGBM models scored by compiled trees, wherever these are sure to say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.serving.domain.trees import Forest, disagreement
from shared.columns import Matrix
from shared.models import Boosted, Model, Scores
from shared.telemetry import Telemetry

FEW = 3  # a block of the kernel costs as much as so many rows cost the library
TRIED_ROWS = 2000


class Compiled:
    """A LightGBM model whose large batches go through compiled trees, bit for bit the same."""

    algorithm = Boosted.algorithm

    def __init__(self, model: Boosted, forest: Forest) -> None:
        self.model, self.forest, self.columns = model, forest, model.columns
        self.row_us, self.score_one = forest.row_us, model.score_one

    def scores(self, matrix: Matrix) -> Scores:
        """Score as the library does, which is faster on a few rows."""
        return (self.model if len(matrix) < FEW else self.forest).scores(matrix)

    def score(self, features: Sequence[Mapping[str, Any]]) -> Scores:
        """Score rows of named features."""
        return self.scores(self.columns.matrix(features))


def compiled(model: Model, telemetry: Telemetry) -> Model:
    """Compile a model, or say why the library keeps scoring it."""
    if not isinstance(model, Boosted):
        return model
    try:
        forest = Forest.of(model.text)
    except ValueError as error:
        telemetry.count("scorer_fallback", "refused")
        telemetry.log.warning("scored by LightGBM's library, ten times slower: %s", error)
        return model
    if difference := disagreement(forest, model.scores, TRIED_ROWS):
        telemetry.count("scorer_fallback", "disagrees")
        telemetry.log.error(
            "compiled trees are not used, they differ from LightGBM: %s", difference
        )
        return model
    return Compiled(model, forest)

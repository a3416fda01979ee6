"""How much each feature moves the score of a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.training.run.dataset import Rows
from shared.models import Boosted, Linear, Model, expand

SAMPLE = 2_000
LEAST = 0.03


def importance(model: Model, held_out: Rows) -> dict[str, float]:
    """Share of each declared feature in what moves the score.

    LightGBM: mean |SHAP| over at most 2,000 rows, taken evenly. Linear: |weight| times standard
    deviation, summed over the columns that a feature expands to. Several classes are summed.
    Shares below 3 % become 0 and the rest is renormalised, unless no feature reaches 3 %.

    Args:
        model: as serving opens it.
        held_out: rows that it was not fitted on.

    Returns:
        Shares that sum to 1; all 0 where nothing moves the score.

    """
    names = list(held_out.declaration.spec.features)
    moved = dict.fromkeys(names, 0.0)
    if model.columns is not None:
        sample = held_out.thinned(SAMPLE)
        matrix = sample.matrix(model.columns)
        effects = {Boosted: _shap, Linear: _spread}[type(model)](model, matrix)  # type: ignore[operator]
        moved |= dict(zip(model.columns.names, effects.tolist(), strict=True))
    return _shares(moved)


def _shares(moved: dict[str, float]) -> dict[str, float]:
    total = sum(moved.values())
    if not total > 0:
        return dict.fromkeys(moved, 0.0)
    kept = {name: effect / total for name, effect in moved.items() if effect >= LEAST * total}
    if not kept:
        return {name: effect / total for name, effect in moved.items()}
    whole = sum(kept.values())
    return {name: kept.get(name, 0.0) / whole for name in moved}


def _shap(model: Boosted, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average |SHAP| per feature, summed over the classes."""
    import lightgbm

    booster = lightgbm.Booster(model_str=model.text)
    rows, features = matrix.shape
    effects = np.asarray(booster.predict(matrix, pred_contrib=True), dtype=np.float64)
    # Of every class the features, then the constant.
    by_class = np.abs(effects).reshape(rows, -1, features + 1)[:, :, :features]
    return np.asarray(by_class.sum(axis=1).mean(axis=0))


def _spread(model: Linear, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum |weight| sd over the columns that each feature expands to."""
    weights = np.abs(model.weights).reshape(len(model.weights), -1).sum(axis=1)
    effects = (expand(matrix, model.design).std(axis=0) * weights)[1:]
    widths = [rule.get("codes", 2) for rule in model.design]
    ends = np.cumsum(widths)
    total = np.concatenate([[0.0], np.cumsum(effects)])
    return np.asarray(total[ends] - total[ends - widths])

"""LightGBM models of every kind that may be trained here, each with rows it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

CATEGORIES = (3, 4)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a model is trained.

    Attributes:
        settings: of LightGBM, beside the common ones.
        missing: share of values that are NaN.
        zeros: share of values that are 0.
        infinite: share of the values of one feature that are infinite.
        categories: whether the features CATEGORIES are.
        rounds: at most.

    """

    settings: dict[str, Any] = field(default_factory=lambda: {"objective": "binary"})
    missing: float = 0.0
    zeros: float = 0.0
    infinite: float = 0.0
    categories: bool = False
    rounds: int = 60


BINARY = {"objective": "binary"}
MANY_SETS = {"min_data_per_group": 10, "cat_smooth": 1.0, "max_cat_to_onehot": 1}
KINDS = {
    "numeric": Kind(),
    "missing": Kind(missing=0.1),
    "infinite": Kind(infinite=0.1),
    "zero_as_missing": Kind({**BINARY, "zero_as_missing": True}, missing=0.1, zeros=0.3),
    "missing_as_zero": Kind({**BINARY, "use_missing": False}, missing=0.1),
    "categorical": Kind({**BINARY, **MANY_SETS}, missing=0.02, categories=True),
    "regression": Kind({"objective": "regression"}, missing=0.1),
    "absolute": Kind({"objective": "regression_l1"}, categories=True),
    "multiclass": Kind(
        {"objective": "multiclass", "num_class": 3}, missing=0.05, categories=True, rounds=30
    ),
    "wide": Kind({**BINARY, "max_bin": 1023, "min_data_in_bin": 1}, rounds=150),
    "early_stopped": Kind({**BINARY, "early_stopping_round": 5, "learning_rate": 0.5}, missing=0.1),
    "leaves_255": Kind(
        {**BINARY, **MANY_SETS, "num_leaves": 255, "min_data_in_leaf": 5},
        categories=True,
        rounds=20,
    ),
    "constant": Kind({**BINARY, "min_data_in_leaf": 10**6}),
    "single_tree": Kind({"objective": "regression"}, rounds=1),
    "random_leaves": Kind({**BINARY, "boosting": "dart"}, rounds=20),
    **{name: Kind({"objective": name}, rounds=5) for name in ("huber", "fair", "quantile", "mape")},
}


def trained(
    kind: Kind, rows: int = 8000, features: int = 8
) -> tuple[lightgbm.Booster, NDArray[np.float64]]:
    """Train a model on rows made up for it."""
    random = np.random.default_rng(7)
    matrix = random.normal(size=(rows, features))
    matrix[:, 1] *= 1e-7
    matrix[:, 2] = np.round(3 * matrix[:, 2])
    matrix[random.random(matrix.shape) < kind.zeros] = 0.0
    matrix[random.random(matrix.shape) < kind.missing] = np.nan
    matrix[random.random(rows) < kind.infinite, 5] = np.inf
    matrix[random.random(rows) < kind.infinite, 5] = -np.inf
    if kind.categories:
        matrix[:, CATEGORIES] = random.integers(-1, [60, 300], size=(rows, 2))
    known = np.nan_to_num(matrix, posinf=2.0, neginf=-2.0)
    target = known[:, 0] * known[:, 2] + (known[:, 3] % 7 > 3) + (known[:, 4] % 3 > 1)
    target += known[:, 5] + random.normal(size=rows)
    if kind.settings["objective"] == "binary":
        target = (target > 0).astype(float)
    elif kind.settings["objective"] == "multiclass":
        target = np.digitize(target, [-1.0, 1.0]).astype(float)
    settings = {"num_threads": 1, "verbosity": -1, "seed": 1, **kind.settings}
    split = rows * 3 // 4
    categories = list(CATEGORIES) if kind.categories else "auto"
    data = lightgbm.Dataset(matrix[:split], target[:split], categorical_feature=categories)
    held_out = [data.create_valid(matrix[split:], target[split:])]
    booster = lightgbm.train(
        settings, data, kind.rounds, held_out if "early_stopping_round" in settings else []
    )
    return booster, matrix

"""Losses, costs and decisions: the same numbers in training, monitoring and reports."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
SMALLEST = 1e-15


def losses(metric: str, scores: NDArray[np.float64], labels: Vector) -> Vector:
    """Measure each prediction.

    log_loss: -ln of the probability given to what happened, clipped at 1e-15 (nats).
    brier: (p - y)^2. mae: |p - y|. mse: (p - y)^2.

    Args:
        metric: log_loss, brier, mae or mse.
        scores: (n,) probabilities or values; (n, classes) probabilities for several classes.
        labels: (n,) 0 or 1, a value, or the index of the class.

    Returns:
        (n,) losses.

    Raises:
        ValueError: unknown metric.

    """
    if metric == "log_loss":
        return -np.log(np.clip(_given(scores, labels), SMALLEST, 1.0))
    if metric in ("brier", "mse"):
        return np.square(scores - labels)
    if metric == "mae":
        return np.abs(scores - labels)
    raise ValueError(f"unknown metric {metric!r}")


def costs(scores: Vector, labels: Vector, threshold: float, miss: float, alarm: float) -> Vector:
    """Price binary decisions: `miss` for a false negative, `alarm` for a false positive.

    Args:
        scores: (n,) probabilities.
        labels: (n,) 0 or 1.
        threshold: scores from here on are decided true.
        miss: price of a false negative.
        alarm: price of a false positive, in the same unit.

    Returns:
        (n,) costs.

    """
    decided = scores >= threshold
    return np.where(decided, alarm * (1.0 - labels), miss * labels)


def _given(scores: NDArray[np.float64], labels: Vector) -> Vector:
    if scores.ndim == 2:
        chosen: Vector = scores[np.arange(len(labels)), labels.astype(np.intp)]
        return chosen
    return np.where(labels > 0.5, scores, 1.0 - scores)

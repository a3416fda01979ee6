"""Generalised linear models by Newton's method: ridge, logistic, softmax, least absolutes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

PENALTY = 1.0
ROUNDS = 25
SOFTMAX_ROUNDS = 200
TOLERANCE = 1e-6


def fit(
    design: Matrix, target: Vector, task: Literal["logistic", "softmax", "squares", "absolutes"]
) -> Matrix:
    """Fit the weights; all but the first, the intercept, carry a ridge penalty of 1/2 |w|^2.

    Args:
        design: (n, p) columns, the first all ones.
        target: (n,) 0 or 1; (n, classes) indicators for softmax; any value for the others.
        task: which likelihood.

    Returns:
        (p,) weights; (p, classes) for softmax.

    """
    if task == "softmax":
        return _softmax(design, target)
    if task == "logistic":
        return _logistic(design, target)
    weights = _weighted(design, target, np.ones(len(target)))
    if task == "absolutes":
        weights = _absolutes(design, target, weights)
    return weights


def _logistic(design: Matrix, target: Vector) -> Vector:
    """Newton: w += (X'VX + L)^-1 (X'(y - p) - L w), with V = p (1 - p)."""
    ridge, weights = _ridge(design), np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        curvature = (design.T * np.maximum(p * (1 - p), 1e-9)) @ design + ridge
        step = np.linalg.solve(curvature, design.T @ (target - p) - ridge @ weights)
        # A step beyond 10 overshoots where classes separate; the direction stays right.
        step *= min(1.0, 10 / max(float(np.abs(step).max()), 1e-12))
        weights += step
        if np.abs(step).max() < TOLERANCE:
            break
    return weights


def _softmax(design: Matrix, target: Matrix) -> Matrix:
    """Newton with the fixed bound of the curvature, (X'X / 2): monotone, one factorisation.

    Source: D. Böhning, Multinomial logistic regression algorithm, 1992.
    """
    ridge, weights = _ridge(design), np.zeros((design.shape[1], target.shape[1]))
    inverse = np.linalg.inv(design.T @ design / 2 + ridge)
    for _ in range(SOFTMAX_ROUNDS):
        linear = design @ weights
        odds = np.exp(linear - linear.max(axis=1, keepdims=True))
        p = odds / odds.sum(axis=1, keepdims=True)
        step = inverse @ (design.T @ (target - p) - ridge @ weights)
        weights += step
        if np.abs(step).max() < 100 * TOLERANCE:
            break
    return weights


def _absolutes(design: Matrix, target: Vector, weights: Vector) -> Vector:
    """Reweighted least squares: each row weighs 1 / max(|residual|, a hundredth of their mean)."""
    for _ in range(ROUNDS):
        residuals = np.abs(target - design @ weights)
        floor = max(float(residuals.mean()) / 100, 1e-12)
        before = weights
        weights = _weighted(design, target, np.asarray(floor / np.maximum(residuals, floor)))
        if np.abs(weights - before).max() < TOLERANCE * max(1.0, float(np.abs(weights).max())):
            break
    return weights


def _weighted(design: Matrix, target: Vector, importance: Vector) -> Vector:
    weighed = design.T * importance
    solved = np.linalg.solve(weighed @ design + _ridge(design), weighed @ target)
    return np.asarray(solved, dtype=np.float64)


def _ridge(design: Matrix) -> Matrix:
    """Penalise all but the intercept, whose tiny share keeps the system solvable."""
    penalty = np.full(design.shape[1], PENALTY)
    penalty[0] = 1e-9
    return np.diag(penalty)

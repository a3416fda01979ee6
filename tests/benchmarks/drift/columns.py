"""Columns as finite laws: equally likely points make a window's counts exact multinomials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

POINTS = 5000
QUANTILES = (np.arange(POINTS) + 0.5) / POINTS
Vector = NDArray[np.float64]
Values = NDArray[Any]  # float64 with NaN, or object: str and None


@dataclass(frozen=True)
class Move:
    """How a column changes: `mean` and `sd` in its own sd, the others as shares of the rows."""

    kind: Literal["mean", "sd", "transfer", "unseen", "null"]
    size: float


@dataclass(frozen=True)
class Column:
    """A feature that is seen through a latent variable, so that it can move in any shape.

    Attributes:
        name: of the feature.
        kind: number or category.
        latent: (POINTS,) ascending, equally likely.
        observe: what is seen of latent values.

    """

    name: str
    kind: Literal["number", "category"]
    latent: Vector
    observe: Callable[[Vector], Values]

    @cached_property
    def sd(self) -> float:
        """Standard deviation of the latent variable."""
        return float(self.latent.std())

    def points(self, shift: float = 0.0, move: Move | None = None) -> Values:
        """Lay out the law: (POINTS,) equally likely values.

        Args:
            shift: natural wandering, in sd.
            move: the drift on top of it.

        """
        kind, size = (move.kind, move.size) if move else ("mean", 0.0)
        stretched = self.latent * (size if kind == "sd" else 1.0)
        moved = stretched + self.sd * (shift + (size if kind == "mean" else 0.0))
        seen = self.observe(moved)
        if kind == "transfer":
            first, second = _two_most_frequent(seen)
            holders = np.flatnonzero(seen == first)
            seen[_spread(holders, round(size * POINTS))] = second
        elif kind in ("unseen", "null"):
            new = "never seen before" if kind == "unseen" else np.nan
            seen[_spread(np.arange(POINTS), round(size * POINTS))] = new
        return seen


def twenty_five() -> tuple[Column, ...]:
    """Name the study's features: 20 numbers of nine shapes, 5 categories of 2 to 100 values."""
    shapes = {
        "normal": (5, stats.norm().ppf(QUANTILES), np.copy),
        "student": (2, stats.t(5).ppf(QUANTILES), np.copy),
        "skewed": (2, stats.lognorm(0.5).ppf(QUANTILES), np.copy),
        "exponential": (2, stats.expon().ppf(QUANTILES), np.copy),
        "gamma": (1, stats.gamma(0.5).ppf(QUANTILES), np.copy),
        "uniform": (2, QUANTILES, np.copy),
        "bimodal": (2, _bimodal(), np.copy),
        "floored": (2, stats.norm(0.25).ppf(QUANTILES), _floored),
        "rounded": (1, stats.norm(0, 3).ppf(QUANTILES), np.round),
        "holed": (1, stats.norm().ppf(QUANTILES), _holed),
    }
    numbers = [
        Column(f"{shape}_{number}", "number", np.asarray(latent, np.float64), observe)
        for shape, (count, latent, observe) in shapes.items()
        for number in range(count)
    ]
    categories = [_category(values) for values in (2, 3, 8, 30, 100)]
    return (*numbers, *categories)


def _bimodal() -> Vector:
    half = stats.norm(0, 0.5).ppf((np.arange(POINTS // 2) + 0.5) / (POINTS // 2))
    return np.sort(np.concatenate([half - 1.5, half + 1.5]))


def _floored(latent: Vector) -> Values:
    """Four rows in ten are exactly zero."""
    return np.maximum(latent, 0.0)


def _holed(latent: Vector) -> Values:
    """Five rows in a hundred are null."""
    seen = latent.copy()
    seen[::20] = np.nan
    return seen


def _category(values: int) -> Column:
    """Cut a normal variable into values whose shares fall like 1 / rank."""
    shares = 1.0 / np.arange(1, values + 1)
    cuts = stats.norm.ppf(np.cumsum(shares / shares.sum())[:-1])
    names = np.array([f"v{rank}" for rank in range(values)], dtype=object)
    latent = np.asarray(stats.norm.ppf(QUANTILES), np.float64)
    return Column(
        f"category_{values}", "category", latent, lambda seen: names[np.searchsorted(cuts, seen)]
    )


def _two_most_frequent(seen: Values) -> tuple[str, str]:
    names, counts = np.unique(seen.astype(str), return_counts=True)
    first, second = names[np.argsort(-counts, kind="stable")[:2]]
    return str(first), str(second)


def _spread(candidates: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Choose evenly among candidates."""
    return candidates[np.linspace(0, len(candidates) - 1, count).astype(np.intp)]

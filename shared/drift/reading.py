"""What a detector reads of a window, and what it bets on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, Protocol

import numpy as np

from shared.drift.evidence import Direction
from shared.drift.streams import Floats, Indices, Integers, Truths

OMNIBUS_WEIGHT = 0.2


class EValues(Protocol):
    """A family of bets: log e-values by window, and the directions they are for."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What may move which way."""

    @property
    def of(self) -> Indices:
        """(t,) direction of each bet."""

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, t) log e-values of windows (w, v), NaN where there is nothing to bet on."""

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, d) effects."""

    def outside(self, vectors: Integers) -> Truths:
        """Tell (w, d) which directions are beyond their tolerance."""


@dataclass(frozen=True)
class Reading:
    """How a detector sees windows.

    Attributes:
        reads: inputs, outcomes or intake.
        vector: window -> (v,) counts; those of several windows may be added.
        rows: window -> how many rows it bets on.
        least: windows with fewer rows wait and are added to the next.
        sources: of e-values.
        importance: what -> its weight; weights are scaled to sum 1.

    """

    reads: Literal["inputs", "outcomes", "intake"]
    vector: Callable[[Any], Integers]
    rows: Callable[[Any], int]
    least: int
    sources: tuple[EValues, ...]
    importance: Mapping[str, float]

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, t) log e-values of w windows, NaN where there is nothing to bet on."""
        return _beside([source.log_e(vectors) for source in self.sources], len(vectors))

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, d) effects."""
        return _beside([source.moved(vectors) for source in self.sources], len(vectors))

    def outside(self, vectors: Integers) -> Truths:
        """Tell (w, d) which directions are beyond their tolerance."""
        return _beside([source.outside(vectors) for source in self.sources], len(vectors)) > 0

    @property
    def directions(self) -> tuple[Direction, ...]:
        """All directions, source after source."""
        return tuple(one for source in self.sources for one in source.directions)

    def of(self) -> Indices:
        """(t,) direction of each bet."""
        starts = [0, *accumulate(len(source.directions) for source in self.sources)]
        parts = [source.of + start for source, start in zip(self.sources, starts, strict=False)]
        return np.concatenate([np.empty(0, np.intp), *parts]).astype(np.intp)

    def weights(self) -> Floats:
        """(t,) weight of each bet: by importance, a fifth of it for the omnibus, the rest even."""
        of = self.of()
        blamed = [self.directions[direction].what for direction in of]
        shape = np.array([self.directions[d].way == "shape" for d in of], bool)
        weights = np.zeros(len(of))
        for what, importance in self.importance.items():
            mine = np.array([one == what for one in blamed], bool)
            kinds = [mine & ~shape, mine & shape]
            parts = [1 - OMNIBUS_WEIGHT, OMNIBUS_WEIGHT] if all(k.any() for k in kinds) else [1, 1]
            for kind, part in zip(kinds, parts, strict=True):
                weights[kind] = importance * part / max(kind.sum(), 1)
        total = weights.sum()
        return weights / total if total > 0 else weights


def _beside(parts: Sequence[Floats | Truths], w: int) -> Floats:
    """Put columns of w windows side by side."""
    columns: Floats = np.concatenate([np.empty((w, 0)), *parts], axis=1)
    return columns

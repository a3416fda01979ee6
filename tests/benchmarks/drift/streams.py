"""Windows of a stream: how it wanders by itself, what moves in it, and its counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tests.benchmarks.drift.columns import POINTS, Column, Move, Values

STEP = 0.025  # sd; wandering is laid on this grid, so that each place needs one table
JITTER, SEASON, PERIOD = 0.05, 0.1, 24
MEMORY, ROAMING = 0.9, 0.1  # of the autoregression: coefficient, marginal sd
COMMON = 0.8  # correlation of every two columns
POOL = 200_000

Levels = NDArray[np.int64]  # (windows, columns), in STEPs
Counts = NDArray[np.int64]  # (windows, width)


def quiet(shape: tuple[int, int], rng: np.random.Generator, start: int) -> Levels:
    """Stand still."""
    del rng, start
    return np.zeros(shape, np.int64)


def seasonal(shape: tuple[int, int], rng: np.random.Generator, start: int) -> Levels:
    """Wave with a period of 24 windows, each column in a phase of its own, and jitter."""
    phases = np.arange(shape[1]) * 7
    turns = 2 * np.pi * (start + np.arange(shape[0])[:, None] + phases) / PERIOD
    return _on_grid(SEASON * np.sin(turns) + JITTER * rng.standard_normal(shape))


def autocorrelated(shape: tuple[int, int], rng: np.random.Generator, start: int) -> Levels:
    """Roam as an autoregression of order one, begun in its stationary law."""
    del start
    steps = rng.standard_normal(shape) * ROAMING
    for window in range(1, shape[0]):
        steps[window] = MEMORY * steps[window - 1] + np.sqrt(1 - MEMORY**2) * steps[window]
    return _on_grid(steps)


def _on_grid(shifts: NDArray[np.float64]) -> Levels:
    return np.rint(shifts / STEP).astype(np.int64)


SETTINGS: Mapping[str, Callable[[tuple[int, int], np.random.Generator, int], Levels]] = {
    "i.i.d.": quiet,
    "seasonal": seasonal,
    "autocorrelated": autocorrelated,
    "correlated": quiet,
}


@dataclass(frozen=True)
class Drift:
    """What moves, and in which columns."""

    move: Move
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Stream:
    """A setting of columns, as a source of windows.

    Attributes:
        columns: features, then the model's score.
        setting: name in SETTINGS.
        rows: per window.

    """

    columns: Sequence[Column]
    setting: str
    rows: int

    def levels(self, windows: int, rng: np.random.Generator, start: int = 0) -> Levels:
        """Draw where the columns stand in successive windows: (windows, columns)."""
        return SETTINGS[self.setting]((windows, len(self.columns)), rng, start)

    def picks(self, windows: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw which point each row takes: (columns, windows, rows)."""
        shape = (len(self.columns), windows, self.rows)
        if self.setting != "correlated":
            return rng.integers(POINTS, size=shape)
        common = rng.standard_normal((1, *shape[1:])) * np.sqrt(COMMON)
        own = rng.standard_normal(shape) * np.sqrt(1 - COMMON)
        return np.minimum(special.ndtr(common + own) * POINTS, POINTS - 1).astype(np.intp)

    def values(
        self,
        levels: Levels,
        rng: np.random.Generator,
        drift: Drift | None = None,
        parts: int = 50,
    ) -> Iterator[list[Values]]:
        """Draw rows: per part of the windows, every column's values, each (windows, rows)."""
        for own in np.array_split(levels, max(1, len(levels) // parts)):
            picks = self.picks(len(own), rng)
            yield [
                self._laid(column, number, own[:, number], drift)[picks[number]]
                if np.ptp(own[:, number]) == 0
                else self._each(column, number, own[:, number], picks[number], drift)
                for number, column in enumerate(self.columns)
            ]

    def _laid(self, column: Column, number: int, levels: Levels, drift: Drift | None) -> Values:
        return column.points(levels[0] * STEP, move_of(drift, number))

    def _each(
        self,
        column: Column,
        number: int,
        levels: Levels,
        picks: NDArray[np.intp],
        drift: Drift | None,
    ) -> Values:
        known, places = np.unique(levels, return_inverse=True)
        laws = np.stack([column.points(one * STEP, move_of(drift, number)) for one in known])
        return laws[places[:, None], picks]


def move_of(drift: Drift | None, column: int) -> Move | None:
    """Say how a column moves."""
    return drift.move if drift and column in drift.columns else None


@dataclass
class Counted:
    """Counts of windows over some cells, drawn without their rows wherever that is exact.

    Rows of a window are independent given where the columns stand, and so are the columns, except
    in the correlated setting: there rows are drawn, with replacement, from a fixed pool.

    Attributes:
        stream: what is counted.
        places: column values to their cells, flat and apart for each column: (n, columns).
        width: of all cells.

    """

    stream: Stream
    places: Callable[[Sequence[Values]], NDArray[np.integer]]
    width: int
    _laws: dict[tuple[int, Move | None], NDArray[np.integer]] = field(default_factory=dict)
    _pool: NDArray[np.intp] | None = None

    def draw(self, levels: Levels, rng: np.random.Generator, drift: Drift | None = None) -> Counts:
        """Draw (windows, width) counts."""
        if self.stream.setting == "correlated":
            return self._resampled(len(levels), rng, drift)
        counts = np.zeros((len(levels), self.width), np.int64)
        for column in range(len(self.stream.columns)):
            known, standing = np.unique(levels[:, column], return_inverse=True)
            cells = [self.law(int(level), move_of(drift, column))[:, column] for level in known]
            used, flat = np.unique(np.concatenate(cells), return_inverse=True)
            law = np.zeros((len(known), len(used)))
            np.add.at(law, (np.repeat(np.arange(len(known)), POINTS), flat), 1 / POINTS)
            counts[:, used] = rng.multinomial(self.stream.rows, law[standing])
        return counts

    def law(self, level: int, move: Move | None) -> NDArray[np.integer]:
        """Place every point of every column: (POINTS, columns) cells."""
        key = (level, move)
        if key not in self._laws:
            columns = self.stream.columns
            moves = [self._possible(column, move) for column in columns]
            self._laws[key] = self.places(
                [one.points(level * STEP, own) for one, own in zip(columns, moves, strict=True)]
            )
        return self._laws[key]

    def _possible(self, column: Column, move: Move | None) -> Move | None:
        """A category has no sd, a number no values to move between."""
        if move is None or move.kind in ("mean", "sd", "null"):
            return move
        return move if column.kind == "category" else None

    def _resampled(self, windows: int, rng: np.random.Generator, drift: Drift | None) -> Counts:
        if self._pool is None:
            narrow = Stream(self.stream.columns, "correlated", POOL)
            self._pool = narrow.picks(1, np.random.default_rng(POOL))[:, 0].T
        moved = self.law(0, drift.move) if drift else self.law(0, None)
        columns = np.arange(len(self.stream.columns))
        still = [column for column in columns if not drift or column not in drift.columns]
        placed = np.take_along_axis(moved, self._pool, 0)
        placed[:, still] = np.take_along_axis(self.law(0, None), self._pool, 0)[:, still]
        counts = np.empty((windows, self.width), np.int64)
        for window in range(windows):
            rows = placed[rng.integers(POOL, size=self.stream.rows)]
            counts[window] = np.bincount(rows.ravel(), minlength=self.width)
        return counts

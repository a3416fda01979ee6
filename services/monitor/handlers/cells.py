"""Predictions in the cells of a version's baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.monitor.domain.heads import Cells, Predictions
from services.monitor.domain.sums import Widths, numbered
from services.monitor.handlers.payloads import Floats, Payloads
from services.monitor.handlers.reading import Integers, Read
from services.monitor.handlers.watching import Watched, Watches
from shared.drift.cells import Column

Rows = NDArray[np.intp]


async def predictions(payloads: Payloads, rows: Read, watches: Watches) -> Predictions:
    """Turn what was read at the head, at least one prediction, into columns.

    Raises:
        Transient: the baseline of a version is not there yet.

    """
    versions = [row.version for row in rows.rows]
    columns = payloads.columns(rows.rows)
    scores = np.array([row.score for row in rows.rows], np.float64)
    cells: dict[str, Cells] = {}
    for version in dict.fromkeys(versions):
        watched = await watches.of(payloads.model, version)
        cells[version] = Placed(watched, columns, scores) if watched else NoCells()
    return Predictions(rows.offsets, rows.times, versions, cells)


@dataclass(frozen=True, slots=True)
class Placed:
    """n predictions and the cells of one version's baseline; see `domain.heads.Cells`."""

    watched: Watched
    columns: Mapping[str, Column]
    scores: Floats

    @property
    def baseline(self) -> str:
        """Digest."""
        return self.watched.baseline

    def counts(self, rows: Rows, groups: Rows, n: int) -> Integers:
        """Count chosen predictions by group: (n, cells)."""
        columns = [self._column(name, kind) for name, kind in self.watched.kinds.items()]
        scores = self.scores
        if len(rows) < len(scores):
            columns, scores = [_chosen(column, rows) for column in columns], scores[rows]
        inputs = self.watched.watch.inputs
        return inputs.counts(inputs.places(columns, scores), groups, n)

    def _column(self, name: str, kind: str) -> Column:
        """Find a feature's column; one that is declared no longer is missing everywhere."""
        n = len(self.scores)
        if name in self.columns:
            return self.columns[name]
        return [None] * n if kind == "category" else np.full(n, np.nan)


@dataclass(frozen=True, slots=True)
class NoCells:
    """Predictions of a version without a baseline."""

    baseline: None = None

    def counts(self, rows: Rows, groups: Rows, n: int) -> Integers:
        """Count nothing: (n, 0)."""
        return np.zeros((n, 0), np.int64)


def placed(
    versions: Sequence[str],
    watched: Mapping[str, Watched | None],
    scores: Floats,
    labels: Floats,
    losses: Floats,
) -> tuple[Rows, Rows, dict[str, Widths]]:
    """Find the cells of outcomes.

    Args:
        versions: n versions that predicted.
        watched: version -> its baseline.
        scores: (n,) or (n, classes).
        labels: (n,) as numbers, NaN where there is none.
        losses: (n,).

    Returns:
        (n,) cells of losses, (n, k) cells of residuals, -1 for none; version -> how many there are.

    """
    n, k, widths = len(versions), scores.shape[1] if scores.ndim > 1 else 1, dict[str, Widths]()
    of_losses, of_residuals = np.full(n, -1), np.full((n, k), -1)
    places, names = numbered(versions)
    for place, version in enumerate(names):
        own = watched[version]
        if own is None:
            continue
        rows, cells = np.flatnonzero((places == place) & ~np.isnan(labels)), own.watch.outcomes
        widths[version] = Widths(own.baseline, cells.loss_width, cells.residual_width)
        found = cells.residuals(scores[rows], labels[rows])
        found = found if found.ndim == 2 else found[:, None]
        of_residuals[rows[:, None], np.arange(found.shape[1])] = found
        of_losses[rows] = cells.losses(losses[rows])
    return of_losses, of_residuals, widths


def _chosen(column: Column, rows: Rows) -> Column:
    if isinstance(column, np.ndarray):
        return column[rows]
    return [column[row] for row in rows.tolist()]

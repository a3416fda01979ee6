"""Reference rows to cells and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import scipy
from numpy.typing import NDArray

from shared.drift.baseline import Baseline, Losses, Residuals, Slice, Task, Volume, Watched
from shared.drift.cells import Cells, Column, category_cells, number_cells
from shared.drift.counting import grouped, residual_sides, score_columns, score_names
from shared.drift.reference import Held, Reference, Times
from shared.drift.spans import LEAST_WINDOWS, declared_windows, reference_windows
from shared.drift.strangers import within_reach
from shared.drift.streams import Floats
from shared.drift.variation import CONFIDENCE

SCORE_TENTHS = 10
RESIDUAL_CELLS = 9
LEAST_SLICE_ROWS = 100
MOST_SLICES = 128
LEAST_SPREAD = 0.05
DELAYS = (0.5, 0.9, 0.95, 0.99)


def described(reference: Reference, promise: int) -> Baseline:
    """Cut cells and count the held-out rows in them; nothing is known yet about variation."""
    held = reference.held_out
    scores = score_columns(reference.task, reference.classes, held.scores)
    score_cells = [number_cells(column) for column in scores]
    loss_cells = number_cells(held.losses).edges
    loss_of = np.searchsorted(loss_cells, held.losses, side="left")
    names = score_names(reference.task, reference.classes)
    return Baseline(
        task=reference.task,
        classes=reference.classes,
        window_us=reference.window_us,
        promise=promise,
        n=len(held.times),
        reference_windows=(0, 0),
        features=tuple(_feature(reference, name) for name in reference.kinds),
        scores=tuple(
            _watched(name, cells, column, 0.0)
            for name, cells, column in zip(names, score_cells, scores, strict=True)
        ),
        losses=_losses(loss_cells, loss_of, held.losses),
        expected_loss=_means(score_cells[0].places(scores[0]), held.losses, score_cells[0].width),
        slices=tuple(_slices(held, loss_of, len(loss_cells) + 1)),
        residuals=tuple(_residuals(reference)),
        variation={},
        factors={},
        volume=_volume(reference),
        arrived=reference.arrived,
        delays_us=_delays(reference.delays_us),
        unmonitorable=(),
    )


def _feature(reference: Reference, name: str) -> Watched:
    column, past = reference.held_out.features[name], reference.past[name]
    cells: Cells
    if reference.kinds[name] == "number":
        windows = reference_windows(reference.past_times, reference.window_us)
        known = within_reach(np.asarray(past, np.float64), windows)
        cells = number_cells(np.asarray(column, np.float64), known)
    else:
        cells = category_cells(
            cast("Sequence[str | None]", column), cast("Sequence[str | None]", past)
        )
    return _watched(name, cells, column, reference.importance.get(name, 0.0))


def _watched(name: str, cells: Cells, column: Column, importance: float) -> Watched:
    counts = np.bincount(cells.places(column), minlength=cells.width)
    return Watched(name, cells, tuple(counts.tolist()), float(importance))


def _losses(edges: tuple[float, ...], places: NDArray[np.intp], losses: Floats) -> Losses:
    values = list(_means(places, losses, len(edges) + 1))
    # Beyond the maximum there is room for a great change: as much again as the maximum is away.
    values[0], values[-1] = float(losses.min()), float(2.0 * losses.max() - losses.mean())
    counts = np.bincount(places, minlength=len(values))
    return Losses(edges, tuple(values), tuple(counts.tolist()))


def _means(places: NDArray[np.integer], values: Floats, width: int) -> tuple[float, ...]:
    """Average values by cell; an empty cell has the mean of all."""
    counts = np.bincount(places, minlength=width)
    sums = np.bincount(places, values, width)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())
    return tuple(means.tolist())


def _slices(held: Held, loss_of: NDArray[np.intp], width: int) -> list[Slice]:
    found = []
    for feature, values in held.slices.items():
        names = sorted({value for value in values if value is not None})
        code = {name: row for row, name in enumerate(names)}
        of = np.array([-1 if value is None else code[value] for value in values], np.intp)
        kept = of >= 0
        counts = grouped(loss_of[kept], of[kept], len(names), width)
        found += [
            Slice(feature, name, tuple(row.tolist()))
            for name, row in zip(names, counts, strict=True)
            if row.sum() >= LEAST_SLICE_ROWS
        ]
    return sorted(found, key=lambda one: (-sum(one.counts), one.feature, one.value))[:MOST_SLICES]


def _residuals(reference: Reference) -> list[Residuals]:
    held = reference.held_out
    sides = residual_sides(reference.task, reference.classes, held.scores, held.labels)
    return [_residual(reference.task, name, score, label) for name, score, label in sides]


def _residual(task: Task, name: str, score: Floats, label: Floats) -> Residuals:
    score_edges = number_cells(score, quantiles=SCORE_TENTHS).edges[1:-1]
    against = label - score if task == "regression" else label
    edges: tuple[float, ...] = (0.5,)
    if task == "regression":
        edges = number_cells(against, quantiles=RESIDUAL_CELLS).edges[1:-1]
    column = np.searchsorted(edges, against, side="left")
    means = _means(column, against, len(edges) + 1)
    values = means if task == "regression" else (0.0, 1.0)
    flat = np.searchsorted(score_edges, score, side="left") * len(values) + column
    counts = np.bincount(flat, minlength=(len(score_edges) + 1) * len(values))
    return Residuals(name, score_edges, edges, values, tuple(counts.tolist()))


def _volume(reference: Reference) -> Volume | None:
    """Rows of the declared windows but the first and the last, which may be cut."""
    if not len(reference.past_times):
        return None
    rows = np.bincount(declared_windows(reference.past_times, reference.window_us))[1:-1]
    if len(rows) < LEAST_WINDOWS:
        return None
    logs = np.log(rows)
    centre = float(np.median(logs))
    low = float(scipy.special.chdtri(len(rows), CONFIDENCE))
    spread = float(np.sqrt(np.square(logs - centre).sum() / low))
    return Volume(centre, max(spread, LEAST_SPREAD))


def _delays(delays: Times) -> tuple[int, ...]:
    if not len(delays):
        return ()
    return tuple(int(value) for value in np.quantile(delays, DELAYS, method="higher"))

"""How fast rows are counted: ours beside a plain numpy floor, by turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from shared.drift.cells import CategoryCells, category_cells, number_cells
from shared.drift.counting import InputCells
from tests.benchmarks.drift.columns import Values
from tests.benchmarks.drift.head import COLUMNS, as_column, reference
from tests.benchmarks.drift.streams import Stream
from tests.benchmarks.figures import Row, middle

BATCH, BATCHES, CALLS = 1000, 20, 200
Batch = tuple[Sequence[Values | list[str | None]], Values]


def measure(rounds: int) -> list[Row]:
    """Count batches of 1,000 rows, 20 numbers and 5 categories, with the score.

    The floor does the least that counts at all: one search per number, one dictionary look-up per
    category, one bincount; it knows no null, no stranger, no group and no wrong number of columns.

    Args:
        rounds: samples of each figure.

    Returns:
        Rows per CPU second of both, and their ratio: ours over the floor's.

    """
    columns = reference(Stream(COLUMNS, "i.i.d.", BATCH), np.random.default_rng(1))
    cells = [
        category_cells(values) if values.dtype == object else number_cells(values)
        for values in columns
    ]
    ours = InputCells(cells[:-1], cells[-1:], "binary", ())
    groups = np.zeros(BATCH, np.intp)
    floor = _floor(ours)
    batches = [
        ([as_column(values[rows]) for values in columns[:-1]], columns[-1][rows])
        for rows in (slice(at, at + BATCH) for at in range(0, BATCH * BATCHES, BATCH))
    ]
    samples = [
        (
            _speed(batches, lambda batch: ours.counts(ours.places(*batch), groups, 1)),
            _speed(batches, floor),
        )
        for _ in range(rounds)
    ]
    return [
        {"counting": "driftwheel", "rows_per_cpu_s": [own for own, _ in samples]},
        {"counting": "numpy floor", "rows_per_cpu_s": [plain for _, plain in samples]},
        {"counting": "ratio", "ratio": [own / plain for own, plain in samples]},
    ]


def ratio(rows: Sequence[Row]) -> float | None:
    """Take the headline: the median ratio."""
    return middle([sample for row in rows for sample in row.get("ratio", ())])


def _floor(ours: InputCells) -> Callable[[Batch], NDArray[np.int64]]:
    starts = [0, *accumulate(one.width for one in ours.cells)]
    edges = [None if isinstance(one, CategoryCells) else np.array(one.edges) for one in ours.cells]
    codes = [dict(one.codes) if isinstance(one, CategoryCells) else {} for one in ours.cells]

    def count(batch: Batch) -> NDArray[np.int64]:
        features, scores = batch
        found = np.empty((len(ours.cells), BATCH), np.intp)
        for row, start, cuts, code, column in zip(
            found, starts, edges, codes, (*features, scores), strict=False
        ):
            if cuts is None:
                row[:] = np.fromiter(map(code.__getitem__, column), np.intp, BATCH)
            else:
                row[:] = np.searchsorted(cuts, column)
            row += start
        return np.bincount(found.ravel(), minlength=starts[-1])

    return count


def _speed(batches: Sequence[Batch], count: Callable[[Batch], object]) -> float:
    began = time.process_time()
    for call in range(CALLS):
        count(batches[call % len(batches)])
    return CALLS * BATCH / (time.process_time() - began)

"""What windows to come may hold that the reference did not, though nothing is wrong."""

from __future__ import annotations

import numpy as np

from shared.drift.calibration import block_length
from shared.drift.cells import Cells, Column, NumberCells
from shared.drift.spans import Groups
from shared.drift.streams import Floats, Truths

REACH = 5.0


def within_reach(column: Floats, groups: Groups) -> Floats:
    """Name the smallest and the largest value that are not strange.

    A mean that wanders by tau between windows carries the extremes with it; it will go further
    than it has been seen to, hence five tau beyond the minimum and the maximum.

    Args:
        column: (n,) values of the past.
        groups: (n,) window of each.

    Returns:
        (2,); empty without a finite value.

    """
    finite = np.isfinite(column)
    values, of = column[finite], groups[finite]
    if not len(values):
        return values
    n = np.bincount(of)
    n, means = n[n > 0], np.bincount(of, values)[n > 0] / n[n > 0]
    chance = values.var() * np.mean(1.0 / n)
    tau = np.sqrt(max(means.var() - chance, 0.0))
    return np.array([values.min() - REACH * tau, values.max() + REACH * tau])


def strange(cells: Cells, column: Column, groups: Groups) -> Truths:
    """Tell which values would be strange if their own block of windows had not been seen.

    Otherwise no reference window ever held anything strange, and nothing would be tolerated.

    Args:
        cells: of the column.
        column: n values of the past.
        groups: (n,) window of each.

    Returns:
        (n,); none of them if there is but one block.

    """
    blocks = groups // block_length(int(groups.max(initial=0)) + 1)
    if blocks.max(initial=0) == 0:
        return np.zeros(len(column), bool)
    if isinstance(cells, NumberCells):
        return _out_of_range(cells, np.asarray(column, np.float64), blocks)
    homes: dict[str | None, int] = {None: -1}
    for value, block in zip(column, blocks.tolist(), strict=True):
        if homes.setdefault(value, block) != block:
            homes[value] = -1
    return np.array([homes[value] >= 0 for value in column], bool)


def _out_of_range(cells: NumberCells, column: Floats, blocks: Groups) -> Truths:
    finite = np.isfinite(column)
    if not finite.any():
        return finite
    reach = cells.edges[-1] - column[finite].max()
    low, high = np.full((2, int(blocks.max()) + 1), np.inf)
    np.minimum.at(low, blocks[finite], column[finite])
    np.minimum.at(high, blocks[finite], -column[finite])
    below = column < _of_others(low)[blocks] - reach
    above = -column < _of_others(high)[blocks] - reach
    outside: Truths = (below | above) & finite
    return outside


def _of_others(least: Floats) -> Floats:
    """Find for each the smallest of all others, of which there are some."""
    first, second = np.partition(least, 1)[:2]
    others = np.full(len(least), first)
    others[np.argmin(least)] = second
    return others

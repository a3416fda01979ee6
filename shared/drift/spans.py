"""Reference rows cut into windows, as the monitor will see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.drift.windows import LEAST_ROWS

Groups = NDArray[np.intp]
LEAST_WINDOWS = 10


def declared_windows(times: NDArray[np.int64], window_us: int) -> Groups:
    """Tell each of n rows its declared window, numbered from 0 without those that are empty."""
    _, groups = np.unique(times // window_us, return_inverse=True)
    return groups.astype(np.intp)


def reference_windows(times: NDArray[np.int64], window_us: int) -> Groups:
    """Cut rows into windows of at least 200 rows.

    Declared windows with fewer rows are joined to the next, as detectors do. If that leaves fewer
    than ten, the rows are cut into ten stretches of equal length instead, fewer if they are few.

    Args:
        times: (n,) microseconds.
        window_us: declared length.

    Returns:
        (n,) number of each row's window, 0 first.

    """
    groups = _joined(declared_windows(times, window_us))
    if groups.max(initial=-1) + 1 >= LEAST_WINDOWS:
        return groups
    pieces = max(1, min(LEAST_WINDOWS, len(times) // LEAST_ROWS))
    ranks = np.empty(len(times), np.intp)
    ranks[np.argsort(times, kind="stable")] = np.arange(len(times))
    return ranks * pieces // max(len(times), 1)


def _joined(groups: Groups) -> Groups:
    joined = []
    number = waiting = 0
    for rows in np.bincount(groups):
        joined.append(number)
        waiting += int(rows)
        if waiting >= LEAST_ROWS:
            number, waiting = number + 1, 0
    return np.minimum(np.array(joined, np.intp)[groups], max(number - 1, 0))

"""Time-ordered parts of a data set: to fit on, to select on, to test on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Rows = NDArray[np.intp]

SHARE = 0.15
SMALLEST_PARTS = 3
LONGEST_TEST, SHORTEST_TEST = timedelta(days=14), timedelta(days=7)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of the three parts, each in time order.

    Attributes:
        fit: rows whose label was known before the first row of `selection`.
        selection: rows whose label was known before the first row of `test`.
        learnable: rows that a model tested on `test` may have seen: label known before it.
        test: the newest rows.

    """

    fit: Rows
    selection: Rows
    learnable: Rows
    test: Rows


def split(times: Times, label_times: Times, least: int, since: int | None = None) -> Split:
    """Cut rows in time order into parts that could have been had at the time.

    The test rows are the newest 15 %, at most the last 14 days, but at least `least` rows and a
    week where that is not more than a third: days differ, and a verdict on two of them is none.
    The selection rows are the 15 % before. After a change, tests take at most a third and selection
    at most a quarter of the rows since, so that there are such rows to learn from as well. A part
    never ends within rows of the same time, and no row is learned from whose label came after the
    next part began.

    Args:
        times: (n,) event times in microseconds, ascending.
        label_times: (n,) when each label was known.
        least: rows that the test should have.
        since: change point in microseconds; None: nothing is known to have changed.

    Raises:
        ValueError: the rows are too few or too close in time for three parts.

    """
    n = len(times)
    share = max(int(np.ceil(SHARE * n)), min(least, n // SMALLEST_PARTS))
    fortnight, week = (_rows_since(times, span) for span in (LONGEST_TEST, SHORTEST_TEST))
    test_rows = max(min(share, fortnight), min(max(least, week), n // SMALLEST_PARTS))
    if since is not None:
        changed = n - int(np.searchsorted(times, since, side="left"))
        test_rows, share = min(test_rows, changed // SMALLEST_PARTS), min(share, changed // 4)
    test_start = _cut(times, n - test_rows)
    selection_start = _cut(times, max(0, test_start - share))
    before_test = _known(label_times[:test_start], times[test_start:])
    parts = Split(
        fit=_known(label_times[:selection_start], times[selection_start:test_start]),
        selection=before_test[before_test >= selection_start],
        learnable=before_test,
        test=np.arange(test_start, n),
    )
    if not all(len(part) for part in (parts.fit, parts.selection, parts.test)):
        raise ValueError(f"{n:,} labelled rows are too few or too close in time to train on")
    return parts


def halves(times: Times, label_times: Times) -> tuple[Rows, Rows]:
    """Cut rows in time order into fit and selection alone: nothing is kept for a test.

    Raises:
        ValueError: the rows are too few or too close in time.

    """
    start = _cut(times, len(times) - int(np.ceil(SHARE * len(times))))
    fit, selection = _known(label_times[:start], times[start:]), np.arange(start, len(times))
    if not len(fit) or not len(selection):
        raise ValueError(f"{len(times):,} labelled rows are too few or too close in time")
    return fit, selection


def _rows_since(times: Times, span: timedelta) -> int:
    """Count the rows of the last `span`."""
    since = int(times[-1]) - span // MICROSECOND if len(times) else 0
    return len(times) - int(np.searchsorted(times, since, side="left"))


def _cut(times: Times, row: int) -> int:
    """Move a boundary back to the first row of its time."""
    return int(np.searchsorted(times, times[row], side="left")) if 0 < row < len(times) else row


def _known(label_times: Times, later: Times) -> Rows:
    """Find the rows whose label was known before the first of the later rows."""
    if not len(later):
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(label_times < later[0])

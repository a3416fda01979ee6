"""Counting at the head: the log alone says what a window holds."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain.heads import Counts, HeadCounts, Heads, Predictions

LENGTH = 10


class Cells(SimpleNamespace):
    """Three cells; a prediction lies in the one of its offset modulo 3."""

    baseline = "d"

    def counts(self, rows, groups, n):
        found = np.zeros((n, 3), np.int64)
        np.add.at(found, (groups, self.offsets[rows] % 3), 1)
        return found


def seen(times, versions=None, first=0):
    offsets = np.arange(first, first + len(times))
    versions = versions or ["1.0.0"] * len(times)
    cells = {version: Cells(offsets=offsets) for version in versions}
    return Predictions(offsets, np.array(times, np.int64), versions, cells)


def heads_of(times, lateness=3, heads=None, **other):
    heads = heads or Heads()
    heads.count(seen(times, **other), LENGTH, lateness)
    return heads


def shown(heads, version="1.0.0"):
    return {
        start: (c.n, c.late, c.vector.tolist())
        for start, window in sorted(heads.open.items())
        if (c := window.versions.get(version))
    }


def test_counts_by_window_and_cell():
    heads = heads_of([1, 12, 2, 11, 13])
    assert shown(heads) == {0: (2, 0, [1, 0, 1]), 10: (3, 0, [1, 2, 0])}
    assert {start: one.through for start, one in heads.open.items()} == {0: 2, 10: 4}


def test_what_is_late_counts_in_the_window_that_was_the_newest_then():
    heads = heads_of([1, 13, 2, 25, 14])
    assert shown(heads) == {0: (1, 0, [1, 0, 0]), 10: (1, 1, [0, 1, 0]), 20: (1, 1, [1, 0, 0])}
    assert heads.open[10].through == 2


def test_versions_are_counted_apart():
    heads = heads_of([1, 2, 3], versions=["1.0.0", "1.1.0", "1.0.0"])
    assert shown(heads) == {0: (2, 0, [1, 0, 1])}
    assert shown(heads, "1.1.0") == {0: (1, 0, [0, 1, 0])}


def written(versions):
    return msgspec.msgpack.encode(versions, order="deterministic")


moments = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("ab")), max_size=30)


@given(moments, st.lists(st.integers(0, 30), max_size=4), st.lists(st.booleans(), min_size=6))
def test_where_a_batch_ends_and_what_was_told_early_leave_no_trace(rows, cuts, early):
    def played(ends, early):
        heads, told, start = Heads(), {}, 0
        for end, soon in zip([*ends, len(rows)], early, strict=False):
            part = rows[start:end]
            times, versions = [time for time, _ in part], [version for _, version in part]
            heads.count(seen(times, versions, start), LENGTH, 15)
            own = heads.newest - 15
            done = heads.over(70 if soon else own, LENGTH) if heads.newest > 0 else []
            told |= {at: written(window.versions) for at, window in done}
            heads.tell({at: window.through for at, window in done}, own, LENGTH)
            start = max(start, end)
        told |= {at: written(window.versions) for at, window in heads.over(70, LENGTH)}
        return {at: versions for at, versions in told.items() if versions != b"\x80"}

    assert played(sorted(cuts), early) == played([], [False])


def test_an_idle_partitions_window_is_told_again_when_more_comes():
    heads = heads_of([1])
    (window,) = heads.over(15, LENGTH)
    assert (window[0], window[1].through) == (0, 0)
    heads.tell({0: 0}, heads.newest - 3, LENGTH)
    assert heads.over(15, LENGTH) == []
    heads_of([4], heads=heads, first=1)
    ((start, again),) = heads.over(15, LENGTH)
    assert (start, again.through, again.versions["1.0.0"].n) == (0, 1, 2)


def test_a_window_that_is_over_is_forgotten_once_it_is_told():
    heads = heads_of([1, 14])
    assert [start for start, _ in heads.over(heads.newest - 3, LENGTH)] == [0]
    heads.tell({0: 0}, heads.newest - 3, LENGTH)
    assert list(heads.open) == [10]
    assert heads.over(heads.newest - 3, LENGTH) == []


def test_the_last_window_is_told_even_when_empty():
    heads = heads_of([1, 45])
    assert [(start, one.through) for start, one in heads.over(42, LENGTH)] == [(0, 0), (30, -1)]


def test_windows_that_cannot_be_whole_are_not_counted():
    heads = heads_of([1, 12, 23], heads=Heads(closed=20, whole_from=20))
    assert shown(heads) == {20: (1, 0, [0, 0, 1])}
    assert [start for start, _ in heads.over(30, LENGTH)] == [20]


@pytest.mark.parametrize("other", [Counts(None, 1), Counts("e", 1, 0, b"\1" + b"\0" * 7)])
def test_cells_that_not_all_have_counted_are_dropped(other):
    whole = HeadCounts(1, {"1.0.0": Counts("d", 2, 1, b"\2" + b"\0" * 7)})
    whole.add(HeadCounts(4, {"1.0.0": other}))
    assert whole == HeadCounts(4, {"1.0.0": Counts(None, 3, 1)})

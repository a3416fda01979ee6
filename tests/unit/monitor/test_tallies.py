"""Window sums: adding is merging, in any order; replays change nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain.merging import Ledger
from services.monitor.domain.tallies import (
    MOST_SLICES,
    Measured,
    Sums,
    VersionSums,
    Windows,
    WindowSums,
    merged,
    start_of,
)

ONE = (1.0, 1.0, 0.5, 0.25, 0.25, 1.0, 0.1875, 3.0)
UNLABELLED = (1.0, *[0.0] * 7)


def rows(times, terms=ONE, first=0, versions="1.0.0", carriers="UA"):
    """Make outcomes; one value stands for all."""
    n = len(times)
    several = [x if isinstance(x, list) else [x] * n for x in (terms, versions, carriers)]
    return Measured(
        np.arange(first, first + n),
        np.array(times, np.int64),
        several[1],
        {"carrier": several[2]},
        np.array(several[0], np.float64).reshape(n, 8).T,
    )


def counted(*times, windows=None, lateness=100):
    windows = windows or Windows()
    late = [windows.count(rows([time], first=n), 10, lateness) for n, time in enumerate(times)]
    return windows, [one == 0 for one in late]


def test_sums_by_hand():
    sums = VersionSums()
    sums.count(rows([1, 2], [ONE, UNLABELLED], carriers=["UA", None]))
    assert sums.total == Sums(2, 1, 0.5, 0.25, 0.25, 1.0, 0.1875, 3.0)
    assert sums.slices == {"carrier": {"UA": Sums(*map(int, ONE[:2]), *ONE[2:])}}


def test_versions_and_windows_are_counted_apart():
    windows = Windows()
    windows.count(rows([1, 2, 13], versions=["1.0.0", "1.1.0", "1.0.0"]), 10, 100)
    found = {
        start: {v: s.total.n for v, s in w.versions.items()} for start, w in windows.open.items()
    }
    assert found == {0: {"1.0.0": 1, "1.1.0": 1}, 10: {"1.0.0": 1}}
    assert [window.through for window in windows.open.values()] == [1, 2]


numbers = st.floats(0, 1e6, allow_nan=False)
outcome = st.tuples(
    st.integers(0, 60), st.sampled_from("ab"), st.sampled_from(["UA", "VX", None]), numbers
)


@given(st.lists(outcome, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_where_a_batch_ends_leaves_no_trace(outcomes, cuts):
    def played(ends):
        windows, late, start = Windows(), 0, 0
        for end in [*ends, len(outcomes)]:
            part = outcomes[start:end]
            terms = [(1.0, 1.0, x, x * x, x, x, x, x) for *_, x in part]
            columns = {"versions": [v for _, v, _, _ in part], "carriers": [c for *_, c, _ in part]}
            late += windows.count(rows([t for t, *_ in part], terms, start, **columns), 10, 15)
            start = max(start, end)
        return windows, late

    assert played(sorted(cuts)) == played([])


def test_windows_are_tumbling_and_start_at_1970():
    assert [start_of(time, 10) for time in (0, 9, 10, -1)] == [0, 0, 10, -10]


def test_complete_windows_come_in_order_and_the_last_even_when_empty():
    windows, _ = counted(3, 25, 4)
    assert windows.complete(9, 10) == [(-10, WindowSums())]
    done = windows.complete(45, 10)
    assert [(start, sums.through) for start, sums in done] == [(0, 2), (20, 1), (30, -1)]
    assert done[0][1].versions["1.0.0"].slices["carrier"]["UA"].n == 2


def test_a_told_window_is_told_no_more_and_takes_nothing():
    windows, _ = counted(3, 25)
    windows.drop(10)
    assert windows.complete(19, 10) == []
    assert counted(9, 10, windows=windows)[1] == [False, True]


def test_what_is_later_than_the_lateness_is_not_counted():
    assert counted(3, 12, 4, 13, 4, lateness=3)[1] == [True, True, True, True, False]


def test_very_many_slices_are_cut_off():
    sums = VersionSums()
    for start in (0, 7):
        values = [str(n) for n in range(start, MOST_SLICES + 5)]
        sums.count(rows(range(start, MOST_SLICES + 5), carriers=values))
    assert list(sums.slices["carrier"]) == [str(n) for n in range(MOST_SLICES)]
    assert sums.total.n == 2 * MOST_SLICES + 3


versions = st.dictionaries(
    st.sampled_from(["0.0.0", "0.1.0"]),
    st.builds(
        lambda n: VersionSums(
            Sums(n, n, n / 2, n / 4, n, n, n, n), {"carrier": {"UA": Sums(n, n)}}
        ),
        st.integers(0, 9),
    ),
)


@given(st.lists(versions, max_size=5), st.randoms())
def test_merging_knows_no_order(parts, random):
    shuffled = random.sample(parts, len(parts))
    assert merged(parts) == merged(shuffled)
    total = sum(sums.total.n for part in parts for sums in part.values())
    assert sum(sums.total.n for sums in merged(parts).values()) == total


def part(n, through=5):
    return WindowSums(through, {"1.0.0": VersionSums(Sums(n, n))})


@given(st.permutations([(0, 0), (0, 1), (0, 2), (10, 0), (10, 1), (10, 2)]))
def test_parts_in_any_order_make_the_same_windows(order):
    ledger, done = Ledger(), []
    latest = {}
    for start, partition in order:
        if start < latest.get(partition, start):
            continue  # A partition tells its windows in order.
        latest[partition] = start
        ledger.hear(start, start + 10, partition, part(1))
        done += ledger.complete(3)
    assert [window.start for window in done] == sorted({window.start for window in done})
    assert ledger.measured == 10 + min(latest.values())


def test_the_higher_through_counts():
    ledger = Ledger()
    for through, n in ((5, 1), (7, 3), (7, 2), (6, 9)):
        ledger.hear(0, 10, 0, part(n, through))
    (window,) = ledger.complete(1)
    assert window.versions["1.0.0"].total.n == 3
    ledger.hear(0, 10, 0, part(8, 99))
    assert ledger.complete(1) == []


def test_a_window_waits_for_every_partition():
    ledger = Ledger()
    ledger.hear(0, 10, 0, part(1))
    assert ledger.complete(2) == []
    ledger.hear(10, 20, 1, WindowSums())
    assert [window.start for window in ledger.complete(2)] == [0]


def test_the_trail_spans_so_many_windows():
    ledger = Ledger()
    for start in (0, 10, 20, 90):
        ledger.hear(start, start + 10, 0, part(1))
        for window in ledger.complete(1):
            ledger.remember(window, 10, 7)
    assert [window.start for window in ledger.trail] == [90]
    assert ledger.measured == 100
    assert ledger.waiting == {}
    assert pytest.approx(1) == ledger.trail[0].versions["1.0.0"].total.n

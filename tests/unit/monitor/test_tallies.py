"""Window sums: adding is merging, in any order; replays change nothing."""

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

ONE = Measured(True, 0.5, 0.25, 1.0, 0.1875, 3.0)


def counted(*times, windows=None, lateness=100):
    windows = windows or Windows()
    found = [windows.around(time, n, 10, lateness) for n, time in enumerate(times)]
    for window in filter(None, found):
        window.count("1.0.0", ONE, {"carrier": "UA"})
    return windows, [window is not None for window in found]


def test_sums_by_hand():
    sums = Sums()
    sums.count(ONE)
    sums.count(Measured(False))
    assert sums == Sums(2, 1, 0.5, 0.25, 0.25, 1.0, 0.1875, 3.0)


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
    for n in range(MOST_SLICES + 5):
        sums.count(ONE, {"user": str(n)})
    assert len(sums.slices["user"]) == MOST_SLICES
    assert sums.total.n == MOST_SLICES + 5


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

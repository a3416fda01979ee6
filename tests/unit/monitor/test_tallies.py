"""Window sums: adding is merging, in any order; replays change nothing."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain.sums import MOST_SLICES, Measured, Sums, VersionSums, Widths
from services.monitor.domain.tallies import Windows, WindowSums, start_of

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
        np.full(n, -1),
        np.full((n, 1), -1),
        {},
    )


def counted(*times, windows=None, lateness=100):
    windows = windows or Windows()
    late = [windows.count(rows([time], first=n), 10, lateness) for n, time in enumerate(times)]
    return windows, [one == 0 for one in late]


def test_sums_by_hand():
    sums = VersionSums()
    sums.count(rows([1, 2], [ONE, UNLABELLED], carriers=["UA", None]), None)
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
        sums.count(rows(range(start, MOST_SLICES + 5), carriers=values), None)
    assert list(sums.slices["carrier"]) == [str(n) for n in range(MOST_SLICES)]
    assert sums.total.n == 2 * MOST_SLICES + 3


def in_cells(n, losses, residuals, carriers="UA", widths=None):
    """Make outcomes of one version in 3 cells of the loss and 4 of the residual."""
    plain = rows(range(n), carriers=carriers)
    return replace(
        plain,
        loss_cells=np.array(losses),
        residual_cells=np.array(residuals).reshape(n, -1),
        widths={"1.0.0": widths or Widths("d", 3, 4)},
    )


def test_losses_and_residuals_are_counted_by_cell():
    sums = VersionSums()
    seen = in_cells(3, [0, 2, -1], [[0, 1], [1, 3], [-1, -1]], carriers=["UA", "VX", "UA"])
    for _ in range(2):
        sums.count(seen, seen.widths["1.0.0"])
    assert (sums.baseline, sums.total.losses, sums.residuals) == ("d", [2, 0, 2], [2, 4, 0, 2])
    by_carrier = {value: part.losses for value, part in sums.slices["carrier"].items()}
    assert by_carrier == {"UA": [2, 0, 0], "VX": [0, 0, 2]}


def test_cells_that_not_all_outcomes_have_are_dropped_for_good():
    seen = in_cells(1, [0], [0])
    sums = VersionSums()
    for widths in (seen.widths["1.0.0"], None, seen.widths["1.0.0"]):
        sums.count(seen, widths)
    assert (sums.total.n, sums.baseline, sums.residuals, sums.total.losses) == (3, None, [], [])
    assert sums.slices["carrier"]["UA"].losses == []
    other = VersionSums()
    other.count(seen, seen.widths["1.0.0"])
    other.add(sums)
    assert (other.total.n, other.baseline, other.residuals) == (4, None, [])
    assert other.slices["carrier"]["UA"].losses == []

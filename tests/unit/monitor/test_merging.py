"""Parts of partitions become windows of the model: in any order, each once."""

from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain.merging import Merging
from services.monitor.domain.sums import Sums, VersionSums
from services.monitor.domain.tallies import WindowSums


def part(n, through=5):
    return WindowSums(through, {"1.0.0": VersionSums(Sums(n, n))})


def complete(merging, partitions):
    return merging.complete(merging.passed_by(partitions))


numbers = st.dictionaries(st.sampled_from(["0.0.0", "0.1.0"]), st.integers(1, 9))


@given(st.lists(numbers, min_size=1, max_size=5), st.randoms())
def test_merging_knows_no_order(parts, random):
    def whole(order):
        merging = Merging[WindowSums]()
        for partition in order:
            versions = {
                version: VersionSums(
                    Sums(n, n, n / 3, losses=[n, 1]), {"carrier": {"UA": Sums(n)}}, [n], "d"
                )
                for version, n in parts[partition].items()
            }
            merging.hear(0, 10, partition, WindowSums(partition, versions))
        (window,) = complete(merging, len(parts))
        return window

    order = list(range(len(parts)))
    first = whole(order)
    assert whole(random.sample(order, len(order))) == first
    total = sum(n for one in parts for n in one.values())
    assert sum(sums.total.n for sums in first.counts.versions.values()) == total
    assert sum(sums.residuals[0] for sums in first.counts.versions.values()) == total


@given(st.permutations([(0, 0), (0, 1), (0, 2), (10, 0), (10, 1), (10, 2)]))
def test_parts_in_any_order_make_the_same_windows(order):
    merging, done = Merging[WindowSums](), []
    latest = {}
    for start, partition in order:
        if start < latest.get(partition, start):
            continue  # A partition tells its windows in order.
        latest[partition] = start
        merging.hear(start, start + 10, partition, part(1))
        done += complete(merging, 3)
    assert [window.start for window in done] == sorted({window.start for window in done})
    assert merging.merged == 10 + min(latest.values())


def test_the_higher_through_counts():
    merging = Merging[WindowSums]()
    for through, n in ((5, 1), (7, 3), (7, 2), (6, 9)):
        merging.hear(0, 10, 0, part(n, through))
    (window,) = complete(merging, 1)
    assert window.counts.versions["1.0.0"].total.n == 3
    merging.hear(0, 10, 0, part(8, 99))
    assert complete(merging, 1) == []


def test_a_window_waits_for_every_partition():
    merging = Merging[WindowSums]()
    merging.hear(0, 10, 0, part(1))
    assert complete(merging, 2) == []
    merging.hear(10, 20, 1, WindowSums())
    assert [window.start for window in complete(merging, 2)] == [0]
    assert merging.waiting == {}

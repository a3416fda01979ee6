import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.domain.split import halves, split

HOUR = 3_600_000_000
DAY = 24 * HOUR


def test_the_newest_fifteen_percent_are_the_test():
    times = np.arange(1000) * HOUR * 2
    parts = split(times, times, least=30)
    assert parts.test.tolist() == list(range(850, 1000))
    assert parts.selection.tolist() == list(range(700, 850))
    assert parts.fit.tolist() == list(range(700))


def test_the_test_is_a_week_where_that_is_no_more_than_a_third():
    month, few_days = np.arange(30 * 24) * HOUR, np.arange(9 * 24) * HOUR
    assert len(split(month, month, least=30).test) == 7 * 24 + 1
    assert len(split(few_days, few_days, least=30).test) == 3 * 24


def test_the_test_is_at_most_a_fortnight():
    times = np.arange(3650) * DAY // 10
    parts = split(times, times, least=30)
    assert times[parts.test[-1]] - times[parts.test[0]] <= 14 * DAY
    assert len(parts.test) == 141


def test_a_thin_stream_gets_its_least_rows_all_the_same():
    times = np.arange(1000) * DAY
    assert len(split(times, times, least=100).test) == 100


def test_rows_of_one_time_stay_together():
    times = np.repeat(np.arange(100), 10) * HOUR
    parts = split(times, times, least=30)
    assert times[parts.test[0]] > times[parts.selection[-1]] > times[parts.fit[-1]]


def test_after_a_change_all_three_parts_have_rows_of_it():
    times = np.arange(1000) * HOUR * 2
    parts = split(times, times, least=30, since=880 * HOUR * 2)
    assert parts.test.tolist() == list(range(960, 1000))
    assert parts.selection.tolist() == list(range(930, 960))
    assert parts.fit.tolist() == list(range(930))


def test_a_change_of_long_ago_cuts_nothing_shorter():
    times = np.arange(1000) * HOUR * 2
    plain, changed = split(times, times, least=30), split(times, times, least=30, since=0)
    assert all((getattr(plain, part) == getattr(changed, part)).all() for part in ("fit", "test"))


def test_the_gates_rows_are_in_the_test_of_three_times_as_many():
    for hours in (1, 2, 50):
        times = np.arange(1500) * HOUR * hours
        assert len(split(times, times, least=500).test) >= 500
        assert len(split(times, times, least=500, since=0).test) >= 500


@given(
    st.lists(st.integers(0, 3000), min_size=12, max_size=300),
    st.integers(0, 100),
    st.none() | st.integers(0, 3000),
)
def test_parts_never_overlap_and_nothing_is_learned_from_the_future(hours, delay, change):
    times = np.sort(np.array(hours)) * HOUR
    known, since = times + delay * HOUR, None if change is None else change * HOUR
    try:
        parts = split(times, known, least=30, since=since)
    except ValueError:
        return
    together = np.concatenate([parts.fit, parts.selection, parts.test])
    assert len(set(together.tolist())) == len(together)
    assert known[parts.fit].max() < times[parts.selection].min()
    assert known[parts.learnable].max() < times[parts.test].min()
    assert set(parts.fit) | set(parts.selection) <= set(parts.learnable)
    if since is not None:
        assert times[parts.selection].min() >= since


@pytest.mark.parametrize("hours", [[], [1], [1] * 500])
def test_too_few_or_too_close_is_said(hours):
    times = np.array(hours, dtype=np.int64) * HOUR
    with pytest.raises(ValueError, match="labelled rows are too few or too close in time"):
        split(times, times, least=30)


def test_halves_keep_nothing_for_a_test():
    times = np.arange(100) * HOUR
    fit, selection = halves(times, times + 2 * HOUR)
    assert fit.tolist() == list(range(83))
    assert selection.tolist() == list(range(85, 100))

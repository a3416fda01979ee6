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


@given(
    st.lists(st.integers(0, 3000), min_size=12, max_size=300),
    st.integers(0, 100),
)
def test_parts_never_overlap_and_nothing_is_learned_from_the_future(hours, delay):
    times = np.sort(np.array(hours)) * HOUR
    known = times + delay * HOUR
    try:
        parts = split(times, known, least=30)
    except ValueError:
        return
    together = np.concatenate([parts.fit, parts.selection, parts.test])
    assert len(set(together.tolist())) == len(together)
    assert known[parts.fit].max() < times[parts.selection].min()
    assert known[parts.learnable].max() < times[parts.test].min()
    assert set(parts.fit) | set(parts.selection) <= set(parts.learnable)


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

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.training.domain.spans import clipped, merged

START = datetime(2013, 1, 1, tzinfo=UTC)
HOURS = st.integers(0, 40)


def at(hour):
    return START + timedelta(hours=hour)


def span(first, last):
    return at(first), at(last)


def test_what_overlaps_or_touches_is_one():
    spans = [span(5, 7), span(1, 3), span(2, 4), span(4, 5), span(9, 9), span(12, 10)]
    assert merged(spans) == (span(1, 7),)
    assert merged([span(1, 9), span(2, 3), span(11, 12)]) == (span(1, 9), span(11, 12))


def test_clipping_keeps_what_lies_between():
    spans = [span(1, 3), span(5, 9), span(20, 30)]
    assert clipped(spans, at(2), at(6)) == (span(2, 3), span(5, 6))
    assert clipped(spans, at(3), at(5)) == ()


@given(st.lists(st.tuples(HOURS, HOURS)))
def test_merging_covers_the_same_hours_once(pairs):
    joined = merged(span(*pair) for pair in pairs)
    hours = [hour for hour in range(40) for first, last in joined if first <= at(hour) < last]
    covered = {hour for hour in range(40) for first, last in pairs if first <= hour < last}
    assert hours == sorted(covered)
    assert merged(joined) == joined

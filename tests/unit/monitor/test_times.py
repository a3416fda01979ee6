"""Times in columns are the times that a general reader reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain.times import microseconds, written

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = Annotated[datetime, msgspec.Meta(tz=True)]
NEARLY = (
    r"[012]\d\d\d-[01]\d-[0-3]\d[Tt ][0-2]\d:[0-6]\d:[0-6]\d(\.\d{3}|\.\d{6})?(Z|[+-]0[01]:00|z)"
)
texts = st.one_of(
    st.from_regex(NEARLY, fullmatch=True),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.datetimes().map(lambda time: time.isoformat() + "Z"),
    st.text(max_size=30),
)


def one(text):
    """Read a time as everybody does."""
    return (msgspec.convert(text, TIME) - EPOCH) // timedelta(microseconds=1)


def test_the_usual_spellings_by_hand():
    spelled = ["1970-01-01T00:00:01Z", "1969-12-31T23:59:59.999999+00:00", "2013-06-01T00:00:00.5Z"]
    times, read = microseconds(spelled)
    assert times.tolist()[:2] == [1_000_000, -1]
    assert read.tolist() == [True, True, False]


@pytest.mark.parametrize(
    "text", ["2013-02-30T00:00:00Z", "2013-06-01T00:00:00", "0000-01-01T00:00:00Z"]
)
def test_what_is_no_time_is_left_to_another(text):
    assert microseconds([text])[1].tolist() == [False]


@given(st.lists(texts, max_size=5))
def test_what_is_read_is_right(spelled):
    times, read = microseconds(spelled)
    rows = np.flatnonzero(read).tolist()
    assert [one(spelled[row]) for row in rows] == times[rows].tolist()
    again, _ = microseconds([text.decode() for text in written(times[rows])])
    assert again.tolist() == times[rows].tolist()


def test_whole_seconds_are_written_short():
    assert written(np.array([0, 1_500_000])) == [
        b"1970-01-01T00:00:00Z",
        b"1970-01-01T00:00:01.500000Z",
    ]

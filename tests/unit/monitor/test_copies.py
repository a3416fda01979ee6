"""Copies of predictions are found by the log alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain import copies
from services.monitor.domain.copies import SIZE, Recent, packed


def named(ids, first=0):
    """Pack ids; a blank is an offset at which nothing could be read."""
    offsets = [first + at for at, name in enumerate(ids) if name != " "]
    names = [name for name in ids if name != " "]
    return packed(names, np.array(offsets, np.int64), first, first + len(ids))


def found(recent, ids, first=0):
    new = named(ids, first)
    copied = recent.copies(new, first)
    recent.note(new, first + len(ids))
    return copied


def test_a_copy_is_found_in_the_same_batch_and_in_a_later_one():
    recent = Recent()
    assert found(recent, ["a", "b", "a", "c"]) == [2]
    assert found(recent, ["d", "b", "e", "a"], 4) == [5, 7]


def test_what_could_not_be_read_has_no_copies():
    recent = Recent()
    assert len(named(" a ")) == 3 * SIZE
    assert found(recent, " a ") == []
    assert found(recent, "  a", 3) == [5]
    assert found(recent, "", 6) == []


def test_nothing_is_remembered_before_it_is_noted():
    recent = Recent()
    assert recent.copies(named("a"), 0) == []
    assert recent.copies(named("a"), 0) == []


@given(
    st.lists(st.sampled_from("abcdefgh"), max_size=60),
    st.lists(st.integers(0, 60), max_size=6),
    st.integers(0, 60),
)
def test_where_reading_begins_and_a_batch_ends_changes_nothing(ids, cuts, start):
    reach = copies.REACH
    copies.REACH = 5
    try:
        expected = [at for at, name in enumerate(ids) if name in ids[max(0, at - 5) : at]]
        recent, all_found, at = Recent(), [], max(0, start - 5)
        for end in [*sorted(cuts), len(ids)]:
            if end > at:
                all_found += found(recent, ids[at:end], at)
                at = min(end, len(ids))
        assert [at for at in all_found if at >= start] == [at for at in expected if at >= start]
    finally:
        copies.REACH = reach

"""Copies of predictions are found by the log alone."""

from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain import copies
from services.monitor.domain.copies import Recent


def found(recent, ids, first=0):
    offsets = list(range(first, first + len(ids)))
    places = recent.copies(ids, offsets)
    recent.note(ids, offsets, first + len(ids))
    return [first + place for place in places]


def test_a_copy_is_found_in_the_same_batch_and_in_a_later_one():
    recent = Recent()
    assert found(recent, ["a", "b", "a", "c"]) == [2]
    assert found(recent, ["d", "b", "e", "a"], 4) == [5, 7]


def test_nothing_is_remembered_before_it_is_noted():
    recent = Recent()
    assert recent.copies(["a"], [0]) == []
    assert recent.copies(["a"], [0]) == []


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

"""Which label an outcome gets, by hand."""

from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain.labels import WAITING, Label, Remembered

DEADLINE = 100
labels = st.lists(
    st.builds(Label, st.integers(0, 200), st.sampled_from([0.0, 1.0]), st.integers(0, 50)),
    unique_by=lambda label: label.offset,
).map(tuple)


def settled(*labels, joined_at=10):
    remembered = Remembered(7, joined_at, labels)
    return remembered.joined(DEADLINE), list(remembered.corrections(DEADLINE))


def test_no_label():
    assert settled() == (None, [])


def test_the_newest_that_was_there_in_time():
    early, late = Label(5, 0.0, 3), Label(9, 1.0, 1)
    assert settled(early, late) == (late, [])
    same_time = Label(9, 0.0, 2)
    assert settled(late, same_time) == (same_time, [])


def test_what_came_after_the_join_corrects_if_it_is_newer():
    first, older, newer = Label(9, 1.0, 1), Label(8, 0.0, 10), Label(9, 0.0, 11)
    assert settled(first, older, newer) == (first, [newer])


def test_what_was_known_after_the_deadline_corrects_although_it_was_there():
    first, late = Label(100, 1.0, 1), Label(101, 0.0, 2)
    assert settled(first, late) == (first, [late])
    assert settled(late) == (None, [late])


@given(labels, st.integers(0, 50))
def test_packing_loses_nothing_and_the_last_word_is_the_newest(labels, joined_at):
    remembered = Remembered(7, joined_at, labels)
    assert Remembered.unpacked(remembered.packed()) == remembered
    words = [remembered.joined(DEADLINE), *remembered.corrections(DEADLINE)]
    newest = max(labels, key=lambda label: (label.time, label.offset), default=None)
    assert words[-1] == newest


def test_waiting_is_no_offset():
    assert Remembered(WAITING, 0, ()).packed() == b"\xff" * 8 + bytes(8)

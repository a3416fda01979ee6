"""Which label an outcome gets, by hand."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.domain.labels import WAITING, Label, Remembered, joined, packed_labels
from tests.service.monitor.store import remembered

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
    known = Remembered(7, joined_at, labels)
    assert Remembered.unpacked(remembered(known)) == known
    words = [known.joined(DEADLINE), *known.corrections(DEADLINE)]
    newest = max(labels, key=lambda label: (label.time, label.offset), default=None)
    assert words[-1] == newest


def test_waiting_is_no_offset():
    assert remembered(Remembered(WAITING, 0, ())) == b"\xff" * 8 + bytes(8)


def test_a_column_of_labels_is_packed_as_one_is_read():
    columns = np.array([5, -(2**60)]), np.array([1.0, 0.25]), np.array([3, 2**40])
    packed = packed_labels(*columns)
    read = Remembered.unpacked(bytes(16) + packed).labels
    assert read == (Label(5, 1.0, 3), Label(-(2**60), 0.25, 2**40))


known = st.builds(Remembered, st.integers(0, 3), st.integers(0, 50), labels)


@given(st.lists(known, max_size=8), st.data())
def test_columns_say_what_each_id_says_alone(records, data):
    offsets = data.draw(st.lists(st.integers(0, 3), min_size=len(records), max_size=len(records)))
    deadlines = np.full(len(records), DEADLINE)
    found = joined([remembered(one) for one in records], np.array(offsets, np.int64), deadlines)
    expected = []
    for row, (one, offset) in enumerate(zip(records, offsets, strict=True)):
        if one.prediction != offset:
            continue
        first = one.joined(DEADLINE)
        expected.append((row, first.value if first else None, first.time if first else 0, False))
        expected += [
            (row, label.value, label.time, label.offset >= one.joined_at)
            for label in one.corrections(DEADLINE)
        ]
    assert [
        (row, None if math.isnan(value) else value, time, recent)
        for row, value, time, _, recent in found.tolist()
    ] == expected
    firsts = [row for row, _, _, corrected, _ in found.tolist() if not corrected]
    assert firsts == sorted({row for row, *_ in expected})

"""First, copy or other content."""

import numpy as np
import pytest

from services.validation.domain.copies import COPY, NEW, NOTHING, OTHER, names_of, seen


def told(names, contents, remembered=None, *, correctable=False):
    known = [NOTHING] * len(names) if remembered is None else remembered
    columns = (np.array(column, dtype=np.uint64) for column in (contents, known))
    return seen(list(names), *columns, correctable=correctable).tolist()


def test_names_have_sixteen_bytes_and_are_told_apart():
    names = names_of([b"a", b"b", b"a", b"x" * 200])
    assert {len(name) for name in names} == {16}
    assert names[0] == names[2]
    assert len(set(names)) == 3


def test_nothing_is_known_of_new_ids():
    assert told([b"a", b"b", b"c"], [1, 1, 2]) == [NEW, NEW, NEW]
    assert told([], []) == []


@pytest.mark.parametrize("correctable", [False, True])
def test_what_is_remembered_is_compared(correctable):
    answer = told([b"a", b"b", b"c"], [1, 2, 3], [1, 9, NOTHING], correctable=correctable)
    assert answer == [COPY, OTHER, NEW]


def test_the_first_stands_where_nothing_can_be_corrected():
    assert told([b"a", b"b", b"a", b"a"], [1, 5, 2, 1]) == [NEW, NEW, OTHER, COPY]
    assert told([b"a", b"a"], [2, 1], [1, 1]) == [OTHER, COPY]


def test_the_latest_stands_where_it_can():
    names, contents = [b"a", b"b", b"a", b"a", b"a"], [1, 5, 2, 2, 1]
    assert told(names, contents, correctable=True) == [NEW, NEW, OTHER, COPY, OTHER]
    assert told([b"a", b"a"], [2, 1], [1, 1], correctable=True) == [OTHER, OTHER]


def test_content_that_looks_like_nothing_is_new_every_time():
    assert told([b"a", b"a"], [NOTHING, NOTHING]) == [NEW, NEW]

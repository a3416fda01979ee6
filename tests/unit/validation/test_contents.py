"""One number for what a record says, whichever way it was read."""

import numpy as np
import pytest

from services.validation.domain.contents import NULL, cell, cells_of, contents, text_cell

MOMENT = np.array([1_700_000_000_000_000])


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7.0), (7.5, 7.5), (True, 1.0), (False, 0.0), (-(2**53), -(2.0**53)), (None, np.nan)],
)
def test_a_value_and_the_number_it_is_read_as_are_the_same_cell(value, number):
    assert cell(value) == cells_of(np.array([number]))[0]


def test_zero_has_no_sign_and_there_is_one_nan():
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64).view(np.float64)
    assert cells_of(np.array([-0.0]))[0] == cells_of(np.array([0.0]))[0] == cell(-0.0) == 0
    assert set(cells_of(odd).tolist()) == {NULL} == {cell(None)}


def test_texts_are_told_apart_from_each_other_and_from_null():
    assert cell("UA") == text_cell("UA")
    assert len({cell("UA"), cell("VX"), cell("é"), NULL}) == 4


def digest(time, *values):
    cells = np.array([[cell(value) for value in values]], dtype=np.uint64)
    return int(contents(np.array([time]), cells)[0])


def test_every_part_counts_and_so_does_its_place():
    said = digest(1, 7, "UA", None)
    assert said == digest(1, 7.0, "UA", None)
    others = [
        digest(2, 7, "UA", None),
        digest(1, 8, "UA", None),
        digest(1, 7, "VX", None),
        digest(1, 7, None, "UA"),
        digest(1, "UA", 7, None),
    ]
    assert len({said, *others}) == 6


def test_a_row_says_the_same_alone_and_among_others():
    times = np.array([3, 1, 2])
    cells = cells_of(np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]))
    together = contents(times, cells)
    alone = [int(contents(times[row : row + 1], cells[row : row + 1])[0]) for row in range(3)]
    assert together.tolist() == alone
    backwards = contents(times[::-1], cells[::-1])
    assert backwards.tolist() == alone[::-1]


def test_of_no_rows_nothing_is_said():
    assert contents(MOMENT[:0], cells_of(np.empty((0, 3)))).tolist() == []

"""Windows over the past, by hand."""

import numpy as np

from examples.flights.history import History

TOLD = History.of(
    group=np.array([1, 0, 0, 1, 0]),
    minute=np.array([10, 30, 10, 20, 10]),
    value=np.array([5, 9, 1, 7, 2]),
)


def at(*numbers: int) -> np.ndarray:
    return np.array(numbers)


def test_a_window_holds_its_start_but_not_its_end():
    assert TOLD.count(at(0, 0, 0, 0), at(10, 10, 11, 0), at(30, 31, 30, 10)).tolist() == [
        2,
        3,
        0,
        0,
    ]


def test_groups_do_not_mix():
    assert TOLD.count(at(0, 1, 2), at(0, 0, 0), at(99, 99, 99)).tolist() == [3, 2, 0]


def test_the_mean_of_a_window_and_of_an_empty_one():
    assert TOLD.mean(at(0, 1, 1), at(0, 0, 30), at(31, 99, 99)).tolist() == [4.0, 6.0, None]


def test_the_last_fact_and_among_equals_the_last_one_given():
    assert TOLD.last(at(0, 0, 1, 1), at(0, 0, 0, 11), at(99, 30, 20, 20)).tolist() == [
        9,
        2,
        5,
        None,
    ]


def test_an_unknown_group_has_no_history():
    assert TOLD.last(at(-1), at(0), at(99)).tolist() == [None]

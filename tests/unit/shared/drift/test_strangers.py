"""What is strange: beyond the reach of the other blocks, held by no other block."""

from __future__ import annotations

import numpy as np
import pytest

from shared.drift.baseline import Variation
from shared.drift.cells import category_cells, number_cells
from shared.drift.strangers import REACH, strange, within_reach

WINDOWS = np.repeat(np.arange(8), 2)  # blocks of two windows, four rows each


def test_a_number_is_strange_that_no_other_block_reaches():
    column = np.tile([1.0, 2.0], 8)
    column[5], column[6], column[9], column[12] = 3.0, 2.5, -1.0, np.nan
    found = strange(number_cells(column), column, WINDOWS)
    assert np.flatnonzero(found).tolist() == [5, 6, 9]
    further = number_cells(column, np.array([-1.7, 3.7]))
    assert np.flatnonzero(strange(further, column, WINDOWS)).tolist() == [5, 9]


def test_a_category_is_strange_that_no_other_block_holds():
    column = ["a", "b"] * 8
    column[4] = column[5] = "of one block"
    column[0] = column[15] = "of two"
    column[3] = None
    found = strange(category_cells(column), column, WINDOWS)
    assert np.flatnonzero(found).tolist() == [4, 5]


@pytest.mark.parametrize("column", [np.array([1.0, 9.0]), np.array([np.nan, 1.0])])
def test_a_single_block_has_none_to_be_compared_with(column):
    assert not strange(number_cells(column), column, np.zeros(2, np.intp)).any()


def test_extremes_reach_as_much_further_as_means_wander():
    rng = np.random.default_rng(4)
    windows = np.repeat(np.arange(400), 500)
    still = rng.uniform(0.0, 1.0, len(windows))
    assert within_reach(still, windows) == pytest.approx([0.0, 1.0], abs=0.02)
    wandering = still + 0.1 * rng.standard_normal(400)[windows]
    low, high = within_reach(wandering, windows)
    assert high - wandering.max() == pytest.approx(REACH * 0.1, rel=0.15)
    assert wandering.min() - low == pytest.approx(high - wandering.max())
    assert not len(within_reach(np.array([np.nan]), np.zeros(1, np.intp)))


def test_means_tolerate_the_error_of_the_reference_itself():
    variation = Variation(tau=(0.0, 0.03, 0.0), swing=(0.0, 0.03, 0.0), error=(0.001, 0.001, 0.04))
    assert variation.tolerances(2.0, 0.02) == pytest.approx([0.02, 0.062, 0.08])
    assert variation.tolerances(2.0) == pytest.approx([0.05, 0.062, 0.08])

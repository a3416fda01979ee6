"""Where values are counted."""

import math

import numpy as np
import pytest

from shared.drift.cells import CategoryCells, NumberCells, category_cells, number_cells


def test_unusual_numbers_have_cells_of_their_own():
    cells = NumberCells((0.5, 1.0, 2.0))
    values = np.array([-math.inf, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 1e308, math.inf, math.nan])
    assert cells.places(values).tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 5, 6]
    assert (cells.nonfinite, cells.strange, cells.null, cells.width) == ((0, 5), (1, 4), 6, 7)
    assert list(cells.known) == [1, 2, 3, 4]


def test_a_search_would_find_the_same_cells():
    rng = np.random.default_rng(0)
    for sample in (
        rng.normal(size=5000),
        rng.integers(0, 7, 5000) * 1.0,
        rng.lognormal(0, 4, 5000),
    ):
        cells = number_cells(sample)
        values = np.concatenate([sample, cells.edges, np.nextafter(cells.edges, 9e9), [math.nan]])
        values = np.tile(values, 3)  # more than are compared at once
        searched = np.searchsorted(cells.bounds.ravel(), values, side="left")
        np.testing.assert_array_equal(cells.places(values), searched)


def test_cells_are_about_equal_and_an_atom_has_its_own():
    rng = np.random.default_rng(1)
    smooth = rng.normal(size=10_000)
    counts = np.bincount(number_cells(smooth).places(smooth))
    assert counts[counts > 0].tolist() == [500] * 20
    half = np.where(rng.random(10_000) < 0.5, 3.0, smooth)
    cells = number_cells(half)
    alone = cells.places(np.array([3.0, np.nextafter(3.0, 0), np.nextafter(3.0, 9)]))
    assert len(set(alone.tolist())) == 3
    assert np.bincount(cells.places(half))[alone[0]] == (half == 3.0).sum()
    assert len(cells.edges) < 25


@pytest.mark.parametrize("values", [[2.0] * 9, [math.nan] * 3, [], [math.inf, 1.0, 1.0]])
def test_references_with_nothing_to_cut(values):
    cells = number_cells(np.array(values))
    places = cells.places(np.array([-1.0, 1.0, 2.0, 3.0, math.nan, math.inf]))
    assert places.max() == cells.null == cells.width - 1
    assert set(cells.places(np.array([math.inf]))) <= set(cells.nonfinite)


def test_what_is_known_from_elsewhere_is_not_strange():
    cells = number_cells(np.arange(10.0), np.array([-5.0, 20.0, math.nan]))
    strange = cells.places(np.array([-6.0, -5.0, 20.0, 21.0]))
    assert [place in cells.strange for place in strange.tolist()] == [True, False, False, True]


def test_categories_frequent_other_unseen_and_null():
    cells = category_cells(["b", "a", "b", None], known=["c", None])
    assert cells == CategoryCells(("b", "a"), ("c",))
    assert cells.places(["b", "a", "c", "never", None]).tolist() == [0, 1, 2, 3, 4]
    assert [cells.text(cell) for cell in range(cells.width)] == [
        "b",
        "a",
        "other",
        "unseen",
        "null",
    ]
    assert cells.places(["never"]).tolist() == [3]  # asked about once, still unseen


def test_sixty_four_categories_have_cells_and_too_many_are_all_known():
    many = [f"{number:05}" for number in range(20_000)]
    cells = category_cells(many)
    assert len(cells.values) == 64
    assert not cells.closed
    assert cells.places(["never"])[0] == len(cells.values)
    some = category_cells(many[:100])
    assert some.closed
    assert len(some.others) == 36

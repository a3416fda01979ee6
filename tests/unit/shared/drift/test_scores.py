"""Scores by hand, and the references that used to break them."""

import numpy as np
import pytest

from shared.drift.cells import CategoryCells, NumberCells
from shared.drift.scores import FLOOR, missing_streams, shape_streams, strange_streams
from shared.drift.streams import Streams

NUMBER = NumberCells((0.0, 1.0, 2.0, 3.0, 4.0))


def moments(stream):
    return stream.shares @ stream.values, stream.shares @ np.square(stream.values)


def test_location_and_dispersion_of_four_equal_cells_by_hand():
    location, dispersion = shape_streams("x", NUMBER, np.array([0, 0, 5, 5, 5, 5, 0, 0, 0]))
    ridits = np.array([-0.5, -0.375, -0.125, 0.125, 0.375, 0.5])
    np.testing.assert_allclose(location.values, ridits / np.sqrt(0.078125))
    np.testing.assert_allclose(dispersion.values[1:5], [1, -1, -1, 1])
    for stream in (location, dispersion):
        assert moments(stream) == pytest.approx((0, 1))
    assert location.shares @ (location.values * dispersion.values) == pytest.approx(0)


def test_two_values_have_no_dispersion():
    (only,) = shape_streams("x", NUMBER, np.array([0, 0, 5, 0, 0, 5, 0, 0, 0]))
    assert only.aspect == "location"


def test_nulls_do_not_move_a_location():
    without = shape_streams("x", NUMBER, np.array([0, 0, 5, 6, 7, 8, 0, 0, 0]))
    with_nulls = shape_streams("x", NUMBER, np.array([0, 0, 5, 6, 7, 8, 0, 0, 99]))
    counts = np.array([[0, 0, 5, 6, 7, 8, 0, 0, 0], [0, 0, 5, 6, 7, 8, 0, 0, 500]])
    np.testing.assert_array_equal(without[0].values, with_nulls[0].values)
    means = Streams(with_nulls).means(counts)
    np.testing.assert_allclose(means, 0, atol=1e-12)


@pytest.mark.parametrize(
    "counts", [[0, 0, 0, 0, 0, 0, 0, 0, 9], [0, 0, 0, 900, 0, 0, 0, 0, 0], [0] * 9]
)
def test_a_constant_or_empty_reference_never_gives_nan(counts):
    streams = shape_streams("x", NUMBER, np.array(counts))
    assert all(np.isfinite(stream.values).all() for stream in streams)
    if counts[3]:
        (other,) = streams
        assert (other.aspect, other.upward) == ("other", True)
        window = np.array([[0, 0, 90, 10, 0, 0, 0, 0, 0]])
        assert Streams(streams).means(window)[0, 0] > 10


def test_shares_of_categories_by_hand_and_two_values_are_one_question():
    cells = CategoryCells(("a", "b", "c"))
    streams = shape_streams("x", cells, np.array([5, 3, 2, 0, 0, 0]))
    assert [stream.aspect for stream in streams] == ["a", "b", "c"]
    np.testing.assert_allclose(streams[0].values, [1, -1, -1, -1])
    for stream in streams:
        assert moments(stream) == pytest.approx((0, 1))
    two = shape_streams("x", CategoryCells(("a", "b")), np.array([5, 5, 0, 0, 0]))
    assert len(two) == 1


def test_unseen_and_null_have_a_floor_and_go_up_only():
    cells, counts = CategoryCells(("a", "b")), np.array([60, 40, 0, 0, 0])
    streams = [*missing_streams("x", cells, counts), *strange_streams("x", cells, counts)]
    assert [stream.what for stream in streams] == ["null:x", "unseen:x"]
    for stream in streams:
        assert stream.upward
        assert stream.shares[stream.values > 0].sum() == pytest.approx(FLOOR)
        assert moments(stream) == pytest.approx((0, 1))
        assert stream.unit == pytest.approx(np.sqrt(FLOOR * (1 - FLOOR)))


def test_streams_of_different_sizes_add_up_side_by_side():
    number = shape_streams("x", NUMBER, np.array([0, 0, 5, 5, 5, 5, 0, 0, 0]))
    category = shape_streams("y", CategoryCells(("a", "b", "c")), np.array([5, 3, 2, 0, 0, 0]))
    both = Streams([*number, *(stream.moved_to(9) for stream in category)])
    vector = np.array([[0, 0, 1, 2, 3, 4, 0, 0, 7, 1, 0, 0, 0, 0, 5]])
    totals, rows = both.sums(vector)
    assert rows.tolist() == [[10, 10, 1, 1, 1]]
    expected = Streams(number).sums(vector[:, :9])[0][0].tolist()
    np.testing.assert_allclose(totals[0, :2], expected)
    np.testing.assert_allclose(totals[0, 2:], [stream.values[0] for stream in category])

"""Tilts: exactly fair at the tolerance, and fair for what is rare."""

from itertools import product
from math import factorial

import numpy as np
import pytest

from shared.drift.cells import CategoryCells, NumberCells
from shared.drift.scores import shape_streams, strange_streams
from shared.drift.streams import Streams
from shared.drift.tilts import EFFECTS, Tilts, _tilt

DELTA = 0.1


def multinomial(n, shares):
    """All outcomes of n rows in k cells, and their probabilities."""
    outcomes = [c for c in product(range(n + 1), repeat=len(shares)) if sum(c) == n]
    coefficient = [factorial(n) / np.prod([factorial(one) for one in c]) for c in outcomes]
    chances = np.array(coefficient) * np.prod(np.power(shares, outcomes), axis=1)
    return np.array(outcomes), chances


def exactly_estimated(stream):
    """The same stream with shares that are known, so that phi is 1."""
    return Streams([type(stream)(*(getattr(stream, f) for f in FIELDS), np.inf, *REST(stream))])


FIELDS = ("what", "aspect", "cells", "values", "shares")


def REST(stream):  # noqa: N802
    return stream.upward, stream.unit


@pytest.mark.parametrize("counts", [[5, 3, 2], [1, 1, 1], [90, 9, 1]])
def test_the_mean_e_value_is_one_at_the_boundary(counts):
    cells = CategoryCells(("a", "b", "c"))
    for stream in shape_streams("x", cells, np.array([*counts, 0, 0, 0])):
        streams = exactly_estimated(stream)
        tilts = Tilts(streams, np.array([DELTA]), np.zeros(1))
        assert len(tilts.sign)
        values, shares = streams.values, streams.shares
        for sign in set(tilts.sign.tolist()):
            eta = _tilt(sign * values, shares, np.array([DELTA]))
            boundary = shares * np.exp(eta * sign * values)
            outcomes, chances = multinomial(6, (boundary / boundary.sum())[0])
            vectors = np.pad(outcomes, ((0, 0), (0, 2)))
            mine = tilts.sign == sign
            e = np.exp(tilts.log_e(vectors)[:, mine])
            np.testing.assert_allclose(chances @ e, 1.0, rtol=1e-9)


def test_within_the_tolerance_the_mean_is_below_one_and_beyond_it_above():
    stream = shape_streams("x", CategoryCells(("a", "b")), np.array([50, 50, 0, 0, 0]))[0]
    tilts = Tilts(exactly_estimated(stream), np.array([DELTA]), np.zeros(1))
    up = tilts.sign > 0
    for share, compare in ((0.5, np.less), (0.54, np.less), (0.56, np.greater), (0.7, np.greater)):
        outcomes, chances = multinomial(8, np.array([share, 1 - share]))
        e = np.exp(tilts.log_e(np.pad(outcomes, ((0, 0), (0, 3))))[:, up])
        assert compare(chances @ e, 1.0).all()


def test_an_estimated_reference_makes_e_values_more_careful():
    few, many = (
        Tilts(
            Streams(shape_streams("x", CategoryCells(("a", "b")), np.array([n, n, 0, 0, 0]))),
            np.array([DELTA]),
            np.zeros(1),
        )
        for n in (50, 50_000)
    )
    window = np.array([[80, 20, 0, 0, 0]])
    assert few.log_e(window).max() < many.log_e(window).max() * 0.6


def test_unseen_is_bet_upwards_only_and_a_quiet_share_below_the_floor_never_pays():
    (stream,) = strange_streams("x", CategoryCells(("a", "b")), np.array([6000, 4000, 0, 0, 0]))
    tilts = Tilts(Streams([stream]), np.array([0.05]), np.zeros(1))
    assert set(tilts.sign.tolist()) == {1.0}
    rng = np.random.default_rng(0)
    for true in (0.0, 0.0005, 0.001):
        unseen = rng.binomial(5000, true, 2000)
        rest = 5000 - unseen
        zero = np.zeros_like(rest)
        vectors = np.stack([rest, zero, zero, unseen, zero], axis=1)
        assert np.exp(tilts.log_e(vectors)).mean(axis=0).max() < 1.0
    one_percent = np.array([[4950, 0, 0, 50, 0]])
    assert tilts.log_e(one_percent).max() > 10


def test_effects_are_steps_of_the_mean_so_that_rare_categories_are_found():
    counts = np.array([9900, 100, 0, 0, 0])
    stream = shape_streams("x", CategoryCells(("a", "b")), counts)[0]
    tilts = Tilts(Streams([stream]), np.array([0.05]), np.zeros(1))
    down = tilts.sign < 0  # fewer of the frequent one are more of the rare one
    assert down.sum() == len(EFFECTS)
    three_percent = np.array([[970, 30, 0, 0, 0]])
    assert tilts.log_e(three_percent)[0, down].max() > 5


def test_targets_that_no_window_reaches_are_left_out():
    stream = shape_streams("x", CategoryCells(("a", "b", "c")), np.array([1, 98, 1, 0, 0, 0]))[0]
    tilts = Tilts(Streams([stream]), np.array([0.05]), np.zeros(1))
    assert set(tilts.sign.tolist()) == {1.0}
    assert np.isfinite(tilts.theta).all()
    assert np.isfinite(tilts.cost).all()


def test_directions_and_what_they_say_of_a_window():
    cells = NumberCells((0.0, 1.0, 2.0, 3.0, 4.0))
    counts = np.array([0, 0, 500, 500, 500, 500, 0, 0, 0])
    tilts = Tilts(Streams(shape_streams("x", cells, counts)), np.array([0.05, 0.05]), np.zeros(2))
    named = [(one.aspect, one.way) for one in tilts.directions]
    assert named == [
        ("location", "up"),
        ("location", "down"),
        ("dispersion", "up"),
        ("dispersion", "down"),
    ]
    up = np.array([[0, 0, 50, 50, 50, 150, 0, 0, 0]])
    assert tilts.outside(up)[0].tolist()[:2] == [True, False]
    assert tilts.moved(up)[0, 0] > 0.3
    assert not tilts.outside(counts[None, :]).any()
    leading = tilts.of[np.argmax(tilts.log_e(up)[0])]
    assert named[leading] == ("location", "up")


def test_nothing_to_bet_on_is_nan():
    stream = shape_streams("x", CategoryCells(("a", "b")), np.array([5, 5, 0, 0, 0]))[0]
    tilts = Tilts(Streams([stream]), np.array([0.05]), np.zeros(1))
    assert np.isnan(tilts.log_e(np.array([[0, 0, 0, 0, 7]]))).all()

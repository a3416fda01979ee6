"""How much windows vary by themselves, and how much they remember."""

import numpy as np
import pytest

from shared.drift.cells import NumberCells
from shared.drift.scores import shape_streams
from shared.drift.streams import Streams
from shared.drift.variation import natural_variation

CELLS = NumberCells(tuple(np.linspace(-2, 2, 22)))
EDGES = np.linspace(-2, 2, 22)[1:-1]
ROWS = 1000
STREAMS = Streams(shape_streams("x", CELLS, np.array([0, 0, *[10_000] * 21, 0, 0, 0])))


def windows(means, rng):
    """Uniform rows whose location score has these means."""
    low = np.linspace(-2, 2, 22)[0]
    draws = rng.uniform(-2, 2, (len(means), ROWS)) + np.asarray(means)[:, None] * 4 / np.sqrt(12)
    places = [CELLS.places(np.clip(row, low + 1e-9, 2.0)) for row in draws]
    return np.array([np.bincount(one, minlength=CELLS.width) for one in places])


def autoregression(memory, sd, n, rng):
    means = [sd * rng.normal()]
    for _ in range(n - 1):
        means.append(memory * means[-1] + np.sqrt(1 - memory**2) * sd * rng.normal())
    return means


def test_independent_windows_are_estimated_as_they_are():
    rng = np.random.default_rng(0)
    many = windows(0.1 * rng.normal(size=200), rng)
    plain, bounded = (natural_variation(STREAMS, many, bounded=b)[0] for b in (False, True))
    assert plain == bounded == pytest.approx(0.1, rel=0.15)
    still = windows(np.zeros(200), rng)
    assert natural_variation(STREAMS, still, bounded=True).max() < 0.015


def test_few_windows_are_bounded_from_above():
    low = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        few = windows(0.1 * rng.normal(size=10), rng)
        plain, bounded = (natural_variation(STREAMS, few, bounded=b)[0] for b in (False, True))
        assert bounded > plain
        low.append(bounded < 0.1)
    assert np.mean(low) <= 0.25  # a bound at 90 %


def test_two_windows_bound_something():
    """By chi-square alone two windows of .3 sd would allow for .92."""
    rng = np.random.default_rng(0)
    two = windows(np.array([0.3, -0.3]), rng)
    assert 0.4 < natural_variation(STREAMS, two, bounded=True)[0] < 0.8


def test_windows_that_remember_are_worth_fewer():
    plain, bounded = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        roaming = windows(autoregression(0.9, 0.1, 100, rng), rng)
        plain.append(natural_variation(STREAMS, roaming, bounded=False)[0])
        bounded.append(natural_variation(STREAMS, roaming, bounded=True)[0])
    assert np.mean(np.array(plain) < 0.09) > 0.25
    assert np.mean(np.array(bounded) < 0.09) < 0.15


def test_a_stream_without_rows_has_no_variation_to_speak_of():
    empty = np.zeros((20, CELLS.width), np.int64)
    assert np.isinf(natural_variation(STREAMS, empty, bounded=True)).all()

import numpy as np
import pytest

from services.training.domain.comparison import (
    DAY_US,
    blocks_of,
    difference,
    simplest_within_noise,
)


def test_two_blocks_by_hand():
    # Blocks of mean -1 and +3: of the resamples a quarter is -1, a half +1, a quarter +3.
    bounds = difference(np.array([-1.0, 3.0]), np.array([0, 1]), 0.95, seed=7)
    assert bounds.mean == 1.0
    assert bounds.low == pytest.approx(1 - 2 * np.sqrt(2))
    assert bounds.high == pytest.approx(1 + 2 * np.sqrt(2))


def test_each_bound_misses_the_truth_as_rarely_as_promised():
    rng = np.random.default_rng(5)
    below, above = 0, 0
    for seed in range(400):
        days = np.repeat(np.arange(30), 20)
        deltas = rng.normal(0, 1, 30)[days] + rng.normal(0, 1, 600)
        bounds = difference(deltas, days, 0.95, seed)
        below, above = below + (bounds.high < 0), above + (bounds.low > 0)
    assert below <= 36
    assert above <= 36


def test_the_seed_decides_and_nothing_else():
    deltas, days = np.sin(np.arange(500)), np.arange(500) // 25
    assert difference(deltas, days, 0.9, 3) == difference(deltas, days, 0.9, 3)
    assert difference(deltas, days, 0.9, 3) != difference(deltas, days, 0.9, 4)


def test_one_block_bounds_by_the_extremes():
    bounds = difference(np.array([1.0, 2.0, 6.0]), np.zeros(3, dtype=int), 0.95, 0)
    assert (bounds.low, bounds.mean, bounds.high) == (1, 3, 6)


def test_blocks_are_days_where_there_are_ten():
    times = np.arange(48) * DAY_US // 4
    assert blocks_of(times).tolist() == (np.arange(48) // 4).tolist()


def test_fewer_days_are_cut_into_ten():
    assert np.bincount(blocks_of(np.arange(100) * DAY_US // 50)).tolist() == [10] * 10


def test_the_simpler_model_wins_within_noise():
    rng = np.random.default_rng(1)
    blocks = np.arange(2000) // 100
    simple = rng.exponential(1, 2000)
    same, better = simple + rng.normal(-0.001, 0.3, 2000), simple - 0.2
    assert simplest_within_noise([simple, same], blocks) == 0
    assert simplest_within_noise([simple, same, better], blocks) == 2

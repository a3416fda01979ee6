"""Bets: fair for any law with a mean within the tolerance."""

import numpy as np
import pytest

from shared.drift.bets import Bets
from shared.drift.streams import Stream, Streams
from tests.unit.shared.drift.test_tilts import multinomial


def stream(values, shares, *, upward=True):
    values, shares = np.array(values, float), np.array(shares, float)
    return Stream("loss", "mean", np.arange(len(values)), values, shares, 1000, upward)


THREE = stream([-1.0, 0.5, 2.0], [0.5, 0.375, 0.125])


@pytest.mark.parametrize("law", [[0.5, 0.4, 0.1], [0.6, 0.0, 0.4], [1.0, 0.0, 0.0]])
def test_no_law_within_the_tolerance_pays_on_average(law):
    mean = float(np.array(law) @ THREE.values)
    bets = Bets(Streams([THREE]), np.array([max(mean, 0.05)]), np.zeros(1))
    outcomes, chances = multinomial(7, np.array(law))
    expected = chances @ np.exp(bets.log_e(outcomes))
    assert (expected <= 1.0 + 1e-12).all()
    if mean > 0.05:  # at the boundary the bet is exactly fair
        np.testing.assert_allclose(expected, 1.0)


def test_one_row_never_ruins_the_player():
    wild = stream([-0.01, 99.0], [0.9999, 0.0001])
    for mean in (0.05, 0.5):
        bets = Bets(Streams([wild]), np.array([mean]), np.zeros(1))
        assert np.isfinite(bets.payoffs).all()
        assert bets.payoffs.min() >= np.log(0.1) - 1e-12


def test_both_directions_for_residuals_one_for_losses():
    both = stream([-1.0, 1.0], [0.5, 0.5], upward=False)
    bets = Bets(Streams([both, THREE]), np.array([0.05, 0.05]), np.zeros(2))
    assert [(one.way) for one in bets.directions] == ["up", "down", "up"]
    low = np.array([[90, 10, 0]])
    by_direction = [bets.log_e(low)[0, bets.of == direction].max() for direction in range(2)]
    assert by_direction[0] < 0 < by_direction[1]
    assert bets.outside(low)[0].tolist()[:2] == [False, True]
    assert bets.moved(low)[0, 0] == pytest.approx(-0.8)


def test_a_stream_without_rows_bets_nothing():
    bets = Bets(Streams([THREE]), np.array([0.05]), np.zeros(1))
    assert np.isnan(bets.log_e(np.zeros((1, 3), np.int64))).all()

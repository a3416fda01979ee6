import numpy as np
import pytest

from services.training.domain.linear import fit

N = 20_000


@pytest.fixture
def design():
    rng = np.random.default_rng(0)
    return np.column_stack([np.ones(N), rng.normal(size=(N, 3))])


def test_squares_recover_a_known_model(design):
    truth = np.array([55.0, 2.0, -1.0, 0.0])
    noise = np.random.default_rng(1).normal(0, 1, N)
    assert fit(design, design @ truth + noise, "squares") == pytest.approx(truth, abs=0.03)


def test_absolutes_recover_the_median_in_spite_of_outliers(design):
    truth = np.array([5.0, 2.0, -1.0, 0.0])
    target = design @ truth + np.random.default_rng(1).normal(0, 1, N)
    target[::20] += 1000
    assert fit(design, target, "absolutes") == pytest.approx(truth, abs=0.12)
    assert fit(design, target, "squares")[0] > 50


def test_logistic_recovers_a_known_model(design):
    truth = np.array([-1.0, 0.8, -0.5, 0.0])
    chance = np.random.default_rng(1).uniform(size=N)
    target = (chance < 1 / (1 + np.exp(-design @ truth))).astype(float)
    assert fit(design, target, "logistic") == pytest.approx(truth, abs=0.06)


def test_logistic_stays_finite_where_the_classes_separate(design):
    target = (design[:, 1] > 0).astype(float)
    weights = fit(design, target, "logistic")
    assert np.isfinite(weights).all()
    assert weights[1] > 5


def test_softmax_recovers_differences_between_classes(design):
    truth = np.array([[0.5, -0.5, 0.0], [1.0, 0.0, -1.0], [0.0, 0.7, -0.7], [0.0, 0.0, 0.0]])
    linear = design @ truth
    odds = np.exp(linear)
    share = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
    chosen = (np.random.default_rng(1).uniform(size=N)[:, None] > share).sum(axis=1)
    weights = fit(design, np.eye(3)[chosen], "softmax")
    centred = truth - truth.mean(axis=1, keepdims=True)
    assert weights - weights.mean(axis=1, keepdims=True) == pytest.approx(centred, abs=0.06)

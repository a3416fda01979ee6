import numpy as np

from contracts.training import Trial
from services.training.run.search import RECIPES, _Attempt, _picked
from tests.unit.training.test_importance import rows

ROWS = 100


def attempts(*losses):
    """Recipes from simple to complex, with the losses they had."""
    trial = Trial(name="", rows=1, loss=0.0, seconds=0.0)
    return [
        _Attempt(recipe, None, loss, trial) for recipe, loss in zip(RECIPES, losses, strict=False)
    ]


def test_the_simplest_within_noise_is_picked_but_after_a_change_the_best():
    selection = rows(ROWS, x=[0.0] * ROWS, n=[0] * ROWS, place=["a"] * ROWS, open=[True] * ROWS)
    # Ten blocks: better by .01 on average, with a standard error of .1 / sqrt(10).
    by_block = np.repeat(np.tile([0.1, -0.1], 5), ROWS // 10)
    tried = attempts(np.full(ROWS, 0.5), 0.49 + by_block)
    assert _picked(tried, selection, changed=False) is tried[0]
    assert _picked(tried, selection, changed=True) is tried[1]
    tried = attempts(np.full(ROWS, 0.5), 0.45 + by_block)
    assert _picked(tried, selection, changed=False) is tried[1]

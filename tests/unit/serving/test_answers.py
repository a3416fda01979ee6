"""What a score decides."""

import numpy as np
import pytest

from services.serving.domain.answers import Rule, trial_rows


def test_binary_decides_true_from_the_threshold_on():
    scores = np.array([0.1, 0.25, 0.9])
    assert Rule("binary", 0.25).decisions(scores) == [False, True, True]


def test_multiclass_names_the_class_with_the_highest_probability():
    rule = Rule("multiclass", 0.5, ("red", "green"))
    assert rule.decisions(np.array([[0.7, 0.3], [0.2, 0.8]])) == ["red", "green"]


def test_regression_decides_nothing():
    assert Rule("regression", 0.5).decisions(np.array([1.0, 2.0])) == [None, None]


def test_scores_that_are_no_numbers_are_found():
    assert Rule("binary", 0.5).usable(np.array([0.1, np.nan, np.inf])).tolist() == [
        True,
        False,
        False,
    ]
    rule = Rule("multiclass", 0.5, ("a", "b"))
    assert rule.usable(np.array([[0.5, np.nan], [0.5, 0.5]])).tolist() == [False, True]


@pytest.mark.parametrize("shape", [(2, 2), (2, 1)])
def test_scores_of_the_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match="declared is"):
        Rule("binary", 0.5).usable(np.zeros(shape))


def test_trial_rows_stand_at_the_edges():
    features = [
        {"name": "seats", "type": "int", "min": 1.0, "max": 600.0, "categories": None},
        {
            "name": "carrier",
            "type": "category",
            "min": None,
            "max": None,
            "categories": ("UA", "VX"),
        },
        {"name": "free", "type": "category", "min": None, "max": None, "categories": None},
        {"name": "weekend", "type": "bool", "min": None, "max": None, "categories": None},
    ]
    assert trial_rows(features) == [
        {},
        {"seats": 1.0, "carrier": "UA", "free": "", "weekend": False},
        {"seats": 600.0, "carrier": "VX", "free": "", "weekend": True},
    ]

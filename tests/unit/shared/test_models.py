"""Columns, models as files, losses."""

import json

import numpy as np
import pytest

from shared.columns import Columns
from shared.losses import costs, losses
from shared.models import load

ROWS = [{"n": 1, "c": "b", "t": True}, {"n": None, "c": "a", "t": False}, {"n": 2.5, "c": "z"}]


def test_columns_are_numbers_and_what_is_unknown_is_nan():
    columns = Columns.fitted({"n": "float", "c": "category", "t": "bool"}, ROWS[:2])
    again = Columns.from_json(json.loads(json.dumps(columns.to_json())))
    expected = [[1, 1, 1], [np.nan, 0, 0], [2.5, np.nan, np.nan]]
    np.testing.assert_array_equal(again.matrix(ROWS), expected)


def test_a_prior_answers_the_same_for_everything():
    model = load({"model.json": json.dumps({"algorithm": "prior", "answer": 0.24}).encode()})
    assert model.score(ROWS).tolist() == [0.24] * 3
    several = load(
        {"model.json": json.dumps({"algorithm": "prior", "answer": [0.2, 0.8]}).encode()}
    )
    assert several.score(ROWS).shape == (3, 2)


def test_a_linear_model_by_hand():
    document = {
        "algorithm": "linear",
        "task": "binary",
        "columns": {"names": ["n", "c"], "codes": {"c": {"a": 0, "b": 1}}},
        "design": [{"mean": 1.0, "sd": 0.5}, {"codes": 2}],
        "weights": [0.1, 1.0, 0.3, 0.0, 2.0],
    }
    scores = load({"model.json": json.dumps(document).encode()}).score(ROWS)
    logits = [0.1 + 2.0, 0.1 + 0.3, 0.1 + 3.0]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-np.array(logits))))


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(ValueError, match="unknown algorithm 'magic'"):
        load({"model.json": b'{"algorithm": "magic", "columns": {"names": [], "codes": {}}}'})


def test_losses_by_hand():
    scores, labels = np.array([0.9, 0.2, 0.0]), np.array([1.0, 0.0, 1.0])
    log_loss = [-np.log(0.9), -np.log(0.8), -np.log(1e-15)]
    np.testing.assert_allclose(losses("log_loss", scores, labels), log_loss)
    np.testing.assert_allclose(losses("brier", scores, labels), [0.01, 0.04, 1.0])
    np.testing.assert_allclose(losses("mae", scores, labels), [0.1, 0.2, 1.0])
    several = np.array([[0.7, 0.2, 0.1]])
    np.testing.assert_allclose(losses("log_loss", several, np.array([1.0])), [-np.log(0.2)])
    with pytest.raises(ValueError, match="unknown metric"):
        losses("auc", scores, labels)


def test_costs_by_hand():
    scores, labels = np.array([0.25, 0.25, 0.24, 0.24]), np.array([1.0, 0.0, 1.0, 0.0])
    assert costs(scores, labels, 0.25, 3.0, 1.0).tolist() == [0.0, 1.0, 3.0, 0.0]

"""Columns, models as files, losses."""

import json

import lightgbm
import numpy as np
import pytest

from shared.columns import Columns
from shared.losses import costs, losses
from shared.models import Boosted, load
from tests.boosted import KINDS, trained

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


def test_a_matrix_scores_as_its_rows_do():
    prior = load({"model.json": json.dumps({"algorithm": "prior", "answer": [0.2, 0.8]}).encode()})
    assert prior.columns is None
    assert prior.scores(np.empty((3, 7))).tolist() == [[0.2, 0.8]] * 3
    document = {
        "algorithm": "linear",
        "task": "binary",
        "columns": {"names": ["n", "c"], "codes": {"c": {"a": 0, "b": 1}}},
        "design": [{"mean": 1.0, "sd": 0.5}, {"codes": 2}],
        "weights": [0.1, 1.0, 0.3, 0.0, 2.0],
    }
    linear = load({"model.json": json.dumps(document).encode()})
    scores = linear.scores(linear.columns.matrix(ROWS))
    np.testing.assert_array_equal(scores, linear.score(ROWS))


@pytest.mark.parametrize("kind", ["categorical", "multiclass"])
def test_a_boosted_model_scores_as_the_package_does(kind):
    package, matrix = trained(KINDS[kind], rows=2000)
    text = package.model_to_string()
    expected = lightgbm.Booster(model_str=text).predict(matrix, num_threads=1)
    columns = Columns(tuple("abcdefgh"), {})
    document = {"algorithm": "lightgbm", "task": "binary", "columns": columns.to_json()}
    model = load({"model.json": json.dumps(document).encode(), "model.txt": text.encode()})
    for layout in (matrix, np.asfortranarray(matrix), np.repeat(matrix, 2, axis=0)[::2]):
        np.testing.assert_array_equal(model.scores(layout), expected)
    np.testing.assert_array_equal(model.score_one(matrix[5].tolist()), expected[5])
    rows = [dict(zip(columns.names, row, strict=True)) for row in matrix[:50].tolist()]
    np.testing.assert_array_equal(model.score(rows), expected[:50])
    with pytest.raises(ValueError, match=r"rows of shape \(7,\), not 8 wide"):
        model.scores(matrix[:, :7])
    with pytest.raises(ValueError, match="a model of 8 features for 1 columns"):
        Boosted(Columns(("a",), {}), text)


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

"""The kernel against LightGBM, bit for bit, on rows at the edges of every test."""

from functools import cache

import lightgbm
import numpy as np
import pytest

from services.serving.adapters.machine import Machine
from services.serving.domain.trees import Forest, Walk, adversarial_rows, disagreement
from services.serving.domain.trees.text import CATEGORICAL, DEFAULT_LEFT, MISSING
from tests.boosted import KINDS, trained

ROWS, SINGLE_ROWS = 100_000, 10_000
MACHINE = Machine()


@cache
def case(kind):
    """A model of that kind: as the library opens it, as we do, and rows it was trained on."""
    booster, matrix = trained(KINDS[kind])
    text = booster.model_to_string()
    return lightgbm.Booster(model_str=text), Forest.of(text), matrix


def predict(booster, matrix):
    return booster.predict(matrix, num_threads=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_score_is_the_librarys_bit_for_bit(kind):
    booster, forest, matrix = case(kind)
    rows = adversarial_rows(forest.trees, ROWS)
    np.testing.assert_array_equal(forest.scores(rows), predict(booster, rows))
    np.testing.assert_array_equal(forest.scores(matrix), predict(booster, matrix))


@pytest.mark.parametrize("kind", KINDS)
def test_single_rows_too(kind):
    booster, forest, _ = case(kind)
    rows = adversarial_rows(forest.trees, SINGLE_ROWS, seed=1)
    walk = Walk(forest.trees, MACHINE.code())
    scores = [walk.score(row) for row in rows.tolist()]
    np.testing.assert_array_equal(scores, predict(booster, rows))


def test_a_row_of_another_width_is_refused():
    walk = Walk(case("numeric")[1].trees, MACHINE.code())
    for wrong in ([0.0] * 7, [0.0] * 9, [None] * 8):
        with pytest.raises(ValueError, match="a row is 8 numbers"):
            walk.score(wrong)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        ("numeric", {0}),
        ("missing", {8}),
        ("zero_as_missing", {4}),
        ("missing_as_zero", {0}),
        ("categorical", {8, 8 | CATEGORICAL}),
    ],
)
def test_the_kinds_contain_the_tests_they_are_named_for(kind, bits):
    _, forest, _ = case(kind)
    decisions = np.concatenate([tree.decisions for tree in forest.trees.trees])
    assert bits <= set((decisions & (MISSING | CATEGORICAL)).tolist())
    if kind in {"missing", "zero_as_missing"}:
        assert set((decisions & DEFAULT_LEFT).tolist()) == {0, DEFAULT_LEFT}


def test_the_kinds_contain_the_sizes_they_are_named_for():
    leaves = {
        kind: {len(tree.leaves) for tree in case(kind)[1].trees.trees}
        for kind in ("constant", "leaves_255")
    }
    assert leaves["constant"] == {1}
    assert max(leaves["leaves_255"]) == 255
    trees = case("wide")[1].trees.trees
    thresholds = np.concatenate([tree.thresholds[tree.features == 0] for tree in trees])
    assert len(np.unique(thresholds)) > 255


def test_half_of_the_adversarial_values_are_thresholds():
    _, forest, _ = case("numeric")
    rows = adversarial_rows(forest.trees, 4000)
    for feature in range(forest.trees.features):
        edges = [tree.thresholds[tree.features == feature] for tree in forest.trees.trees]
        assert np.isin(rows[:, feature], np.concatenate(edges)).mean() > 0.48


def test_a_model_cut_to_fewer_rounds_and_without_its_parameters():
    text = trained(KINDS["multiclass"])[0].model_to_string(num_iteration=7)
    head, _, tail = text.partition("\nparameters:")
    text = head + tail.partition("end of parameters\n")[2]
    booster, forest = lightgbm.Booster(model_str=text), Forest.of(text)
    rows = adversarial_rows(forest.trees, 1000)
    assert len(forest.trees.trees) == 21
    np.testing.assert_array_equal(forest.scores(rows), predict(booster, rows))


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 129])
@pytest.mark.parametrize("kind", ["missing", "multiclass"])
def test_batches_of_any_length_and_layout(kind, count):
    booster, forest, _ = case(kind)
    rows = adversarial_rows(forest.trees, count)
    strided = np.repeat(rows, 2, axis=0)[::2]
    for layout in (rows, np.ascontiguousarray(rows), strided):
        np.testing.assert_array_equal(forest.scores(layout), predict(booster, rows))


@pytest.mark.parametrize(("kind", "shape"), [("missing", (0,)), ("multiclass", (0, 3))])
def test_no_rows_are_no_scores(kind, shape):
    _, forest, matrix = case(kind)
    assert forest.scores(matrix[:0]).shape == shape


def test_a_matrix_of_another_shape_or_type_is_refused():
    _, forest, matrix = case("numeric")
    for wrong in (matrix[:, :-1], matrix[0], matrix.astype(np.float32)):
        with pytest.raises(ValueError, match=r"expected float64 of shape \(n, 8\)"):
            forest.scores(wrong)


def test_what_the_library_answers_otherwise_is_found():
    booster, forest, _ = case("missing")
    ours = forest.trees, forest.scores
    assert disagreement(*ours, lambda rows: predict(booster, rows), 500) is None

    def one_bit_off(rows):
        scores = predict(booster, rows)
        scores[7] = np.nextafter(scores[7], 1)
        return scores

    assert "1 of 500 scores differ" in disagreement(*ours, one_bit_off, 500)
    other = case("numeric")[0]
    assert "differ" in disagreement(*ours, lambda rows: predict(other, rows), 500)
    assert "shape (500,), the library's have (500, 2)" in disagreement(
        *ours, lambda rows: rows[:, :2], 500
    )

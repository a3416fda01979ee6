"""The plain walk by hand, and the kernel against it on trees that no training would grow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.serving.adapters.machine import Machine
from services.serving.domain.trees import Forest, Walk, adversarial_rows
from services.serving.domain.trees.reference import goes_left, scores
from services.serving.domain.trees.text import (
    CATEGORICAL,
    DEFAULT_LEFT,
    NAN_MISSING,
    ZERO,
    ZERO_MISSING,
    Tree,
    Trees,
)

NAN, INF = float("nan"), float("inf")
MACHINE = Machine()
THRESHOLDS = [-INF, -1.5, -ZERO, -1e-36, -0.0, 0.0, 1e-36, ZERO, 0.5, 1.5, 1e300, INF]


def stump(threshold, decision, categories=()):
    ints = [np.array([value], dtype=np.int32) for value in (0, decision, ~0, ~1)]
    sets = (np.array(categories, dtype=np.int32),) if decision & CATEGORICAL else ()
    leaves = np.array([1.0, 2.0])
    return Tree(ints[0], np.array([threshold]), ints[1], ints[2], ints[3], leaves, sets)


@pytest.mark.parametrize(
    ("threshold", "decision", "left", "right"),
    [
        (0.5, 0, [0.5, -INF, NAN, 0.0], [np.nextafter(0.5, 1), INF]),
        (-0.5, 0, [-0.5, -INF], [NAN, 0.0, -0.0, INF]),
        (0.5, NAN_MISSING, [0.5], [NAN, INF]),
        (-0.5, NAN_MISSING | DEFAULT_LEFT, [NAN, -0.5], [0.0, INF]),
        (0.5, ZERO_MISSING, [0.5, -1.0], [0.0, -0.0, NAN, ZERO, -1e-36, 1.0]),
        (-0.5, ZERO_MISSING | DEFAULT_LEFT, [0.0, NAN, ZERO, -0.5], [np.nextafter(ZERO, 1), 1.0]),
        (0.0, 0, [0.0, ZERO, 1e-36, -1.0], [np.nextafter(ZERO, 1), 1e-30]),
        (INF, 0, [INF, 1e308, NAN], []),
        (0.0, CATEGORICAL, [0.0, 0.9, -0.5, 2.0], [1.0, 3.0, -1.0, NAN, INF, -INF, 1e9, 3e9]),
    ],
)
def test_one_test_by_hand(threshold, decision, left, right):
    tree = stump(threshold, decision, categories=(0, 2))
    assert [goes_left(tree, 0, value) for value in left] == [True] * len(left)
    assert [goes_left(tree, 0, value) for value in right] == [False] * len(right)
    rows = np.array([*left, *right]).reshape(-1, 1)
    expected = [1.0] * len(left) + [2.0] * len(right)
    assert Forest(Trees("identity", 1, 1, (tree,))).scores(rows).tolist() == expected


def test_links_by_hand():
    rows = np.array([[0.0], [1.0]])
    trees = (stump(0.5, 0), stump(0.5, 0), stump(-0.5, 0))
    sums = np.array([[1.0, 1.0, 2.0], [2.0, 2.0, 2.0]])
    odds = np.exp(sums)
    several = Trees("softmax", 1, 3, trees)
    np.testing.assert_allclose(scores(several, rows), odds / odds.sum(axis=1, keepdims=True))
    one = Trees("sigmoid", 1, 1, trees)
    np.testing.assert_allclose(scores(one, rows), 1 / (1 + np.exp([-4.0, -6.0])))


def grown(random, leaves, features):
    """A tree of that many leaves, each split at a leaf drawn at random."""
    nodes = leaves - 1
    lefts, rights = np.empty(nodes, dtype=np.int32), np.empty(nodes, dtype=np.int32)
    places = [None]  # which child of which node a leaf is
    for node in range(nodes):
        leaf = random.integers(len(places))
        if places[leaf] is not None:
            side, parent = places[leaf]
            side[parent] = node
        lefts[node], rights[node] = ~leaf, ~len(places)
        places[leaf] = (lefts, node)
        places.append((rights, node))
    categorical = random.random(nodes) < 0.3
    kinds = random.choice([0, NAN_MISSING, ZERO_MISSING], nodes)
    decisions = kinds | random.choice([0, DEFAULT_LEFT], nodes)
    sets = tuple(
        np.flatnonzero(random.random(random.integers(0, 9)) < 0.5).astype(np.int32)
        for _ in range(int(categorical.sum()))
    )
    thresholds = random.choice([*THRESHOLDS, *random.normal(size=5)], nodes)
    thresholds[categorical] = np.arange(len(sets))
    return Tree(
        random.integers(features, size=nodes).astype(np.int32),
        thresholds,
        np.where(categorical, CATEGORICAL, decisions).astype(np.int32),
        lefts,
        rights,
        random.normal(size=leaves),
        sets,
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from([1, 2, 3, 8, 9, 31, 33, 256]),
    st.sampled_from([("identity", 1), ("sigmoid", 1), ("softmax", 3)]),
)
def test_kernel_and_machine_code_say_what_the_plain_walk_says(seed, features, rounds, leaves, link):
    random = np.random.default_rng(seed)
    kind, classes = link
    forest = Forest(
        Trees(
            kind,
            features,
            classes,
            tuple(grown(random, leaves, features) for _ in range(rounds * classes)),
        )
    )
    rows = adversarial_rows(forest.trees, 70, seed)
    expected = scores(forest.trees, rows)
    np.testing.assert_array_equal(forest.scores(rows), expected)
    walk = Walk(forest.trees, MACHINE.code())
    np.testing.assert_array_equal([walk.score(row) for row in rows.tolist()], expected)

"""Counts are additive: any order, any split, one answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.drift.counting import grouped
from shared.drift.watch import Watch
from tests.unit.shared.drift.world import draw


def test_groups_by_hand():
    places = np.array([[0, 2], [0, 3], [1, 2]])
    counts = grouped(places, np.array([1, 0, 1]), 2, 4)
    assert counts.tolist() == [[1, 0, 0, 1], [1, 1, 2, 0]]


def test_rows_are_counted_once_per_column(fitted):
    watch, rng = Watch(fitted, 100), np.random.default_rng(0)
    rows = draw(500, rng, fitted.task, null=0.1, unseen=0.1)
    places = watch.inputs.places(list(rows.features.values()), rows.scores)
    assert places.shape == (500, len(watch.inputs.cells))
    assert places.dtype == np.int32
    counts = watch.inputs.counts(places, np.zeros(500, np.intp), 1)
    assert counts.shape == (1, watch.inputs.width)
    by_column = np.add.reduceat(counts[0], watch.inputs.starts)
    assert by_column.tolist() == [500] * len(watch.inputs.cells)
    losses = watch.outcomes.losses(rows.losses)
    residuals = watch.outcomes.residuals(rows.scores, rows.labels)
    assert 0 <= losses.min() <= losses.max() < watch.outcomes.loss_width
    assert 0 <= residuals.min() <= residuals.max() < watch.outcomes.residual_width


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_order_and_any_split_give_the_same_counts(binary, random, parts):
    watch = Watch(binary, 100)
    rows = draw(200, np.random.default_rng(1), null=0.1)
    places = watch.inputs.places(list(rows.features.values()), rows.scores)
    groups = np.arange(200) % 3
    whole = watch.inputs.counts(places, groups, 3)
    order = list(range(200))
    random.shuffle(order)
    pieces = [
        watch.inputs.counts(places[piece], groups[piece], 3)
        for piece in np.array_split(np.array(order), parts)
    ]
    random.shuffle(pieces)
    assert sum(pieces).tobytes() == whole.tobytes()


def test_another_number_of_features_is_refused(binary):
    watch = Watch(binary, 100)
    with pytest.raises(ValueError, match="1 features, the baseline has 4"):
        watch.inputs.places([np.zeros(3)], np.zeros(3))

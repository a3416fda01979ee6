"""A loss without labels, and when not to believe it; distances for the eye."""

from dataclasses import replace

import numpy as np
import pytest

from shared.drift.display import jensen_shannon, population_stability_index
from shared.drift.watch import Watch
from tests.unit.shared.drift.world import draw, window


def test_an_estimate_is_near_what_labels_later_say(fitted):
    watch, rng = Watch(fitted, 100), np.random.default_rng(0)
    # the linear rule of the regression errs alike everywhere; the others' cases become harder
    rows = draw(20_000, rng, fitted.task, a=0.4)
    estimate = watch.estimate(window(watch, rows, 0)["inputs"], doubted=False)
    assert estimate.valid
    assert estimate.reasons == ()
    assert estimate.loss == pytest.approx(rows.losses.mean(), rel=0.03)


def test_reasons_in_words(binary):
    watch, rng = Watch(binary, 100), np.random.default_rng(0)
    quiet = window(watch, draw(1000, rng), 0)["inputs"]
    assert watch.estimate(quiet, doubted=False).valid
    doubted = watch.estimate(quiet, doubted=True)
    assert "labels have shown" in doubted.reasons[0]
    assert doubted.loss == watch.estimate(quiet, doubted=False).loss
    few = window(watch, draw(50, rng), 0)["inputs"]
    assert watch.estimate(few, doubted=False).reasons == ("only 50 rows, at least 200 are needed",)
    strange = window(watch, draw(1000, rng, a=3.0), 0)["inputs"]
    assert "a: " in watch.estimate(strange, doubted=False).reasons[0]
    assert "beyond what the reference saw" in watch.estimate(strange, doubted=False).reasons[0]
    # An unused feature may go wherever it likes.
    elsewhere = window(watch, draw(1000, rng, idle=9.0), 0)["inputs"]
    assert watch.estimate(elsewhere, doubted=False).valid
    empty = replace(quiet, n=0, counts=0 * quiet.counts)
    assert watch.estimate(empty, doubted=False).loss is None


def test_distances_by_hand():
    reference, window_ = np.array([100, 100]), np.array([150, 50])
    r, w = np.array([100.5, 100.5]) / 201, np.array([150.5, 50.5]) / 201
    assert population_stability_index(reference, window_) == pytest.approx(
        np.sum((w - r) * np.log(w / r))
    )
    assert jensen_shannon(reference, reference) == 0
    assert 0 < jensen_shannon(reference, window_) < np.log(2)
    assert jensen_shannon(np.array([10**6, 0]), np.array([0, 10**6])) == pytest.approx(
        np.log(2), abs=1e-4
    )


def test_cells_that_nobody_uses_do_not_count():
    reference, window_ = np.array([1000, 0, 1000, 0]), np.array([50, 0, 50, 0])
    assert population_stability_index(reference, window_) == pytest.approx(0, abs=1e-12)


def test_shown_per_feature_and_score(binary):
    watch, rng = Watch(binary, 100), np.random.default_rng(0)
    shown = watch.shown(window(watch, draw(2000, rng, null=0.1, unseen=0.05), 0)["inputs"])
    assert set(shown) == {"a", "b", "idle", "place", "score"}
    assert shown["a"].missing == pytest.approx(0.1, abs=0.03)
    assert shown["place"].unseen == pytest.approx(0.05, abs=0.02)
    assert shown["a"].psi > shown["b"].psi > 0

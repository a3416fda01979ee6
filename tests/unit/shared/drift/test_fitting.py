"""From reference rows to a baseline, the awkward ones included."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from shared.drift.baseline import Baseline
from shared.drift.calibration import blocks, factor
from shared.drift.cells import CategoryCells
from shared.drift.families import input_streams
from shared.drift.fitting import fit
from shared.drift.scores import strange_streams
from shared.drift.spans import reference_windows
from shared.drift.streams import Streams
from shared.drift.variation import natural_variation
from shared.drift.watch import Watch
from shared.drift.windows import Inputs
from tests.unit.shared.drift.world import SECOND, WINDOW, draw, reference, run, window


def small(n=3000, **changes):
    return reference(draw(n, np.random.default_rng(3)), **changes)


def test_a_baseline_is_canonical_and_the_same_after_a_journey(fitted):
    data = fitted.to_bytes()
    again = Baseline.from_bytes(data)
    assert again == fitted
    assert again.to_bytes() == data
    assert len(data) < 100_000


def test_the_same_rows_give_the_same_bytes():
    first, second = (fit(small(), promise=100, seed=1) for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


def test_documents_that_are_not_baselines_are_refused(fitted):
    document = msgspec.json.decode(fitted.to_bytes())
    damaged = {
        "not a drift baseline": b"{}",
        "of format 2": msgspec.json.encode(document | {"format": 2}),
        "losses: counts have 0 cells": msgspec.json.encode(
            document | {"losses": document["losses"] | {"counts": []}}
        ),
    }
    for reason, data in damaged.items():
        with pytest.raises(ValueError, match=reason):
            Baseline.from_bytes(data)
    with pytest.raises(ValueError, match="not a drift baseline"):
        Baseline.from_bytes(fitted.to_bytes()[:-1])


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("scores", np.zeros(7), "scores: 7 held-out rows, but 3000 times"),
        ("labels", np.full(3000, np.nan), "labels are not all finite"),
        ("features", {"a": np.zeros(2)}, "feature a: 2 held-out rows"),
    ],
)
def test_rows_that_do_not_fit_are_refused(field, value, reason):
    good = small()
    if field == "features":
        value = good.held_out.features | value
    with pytest.raises(ValueError, match=reason):
        fit(replace(good, held_out=replace(good.held_out, **{field: value})), promise=100, seed=1)


def test_constants_nulls_and_lone_categories_are_watched_without_nan():
    rows = draw(5000, np.random.default_rng(0))
    n = len(rows.labels)
    odd = {
        "constant": np.full(n, 7.0),
        "nothing": np.full(n, np.nan),
        "lone": ["same"] * n,
        "silent": [None] * n,
        "nearly": np.where(np.arange(n) < 2, 1.0, 0.0),
    }
    kinds = {name: "number" if isinstance(c, np.ndarray) else "category" for name, c in odd.items()}
    held = replace(reference(rows).held_out, features=odd)
    made = reference(
        rows, kinds=kinds, importance=dict.fromkeys(kinds, 0.2), held_out=held, past=odd
    )
    watch = Watch(fit(made, promise=100, seed=1), 100)
    seen = draw(1000, np.random.default_rng(1))
    features = {name: column[:1000] for name, column in odd.items()}
    views = [inputs(watch, features, seen, index) for index in range(5)]
    verdicts, _ = run_inputs(watch, views)
    assert all(np.isfinite(v.evidence) and not v.alarm for each in verdicts.values() for v in each)
    moved = features | {"constant": np.where(np.arange(1000) < 100, 8.0, 7.0)}
    verdicts, _ = run_inputs(watch, [inputs(watch, moved, seen, index) for index in range(5)])
    last = verdicts["inputs"][0]
    assert last.alarm
    assert set(last.listed) == {"feature:constant", "range:constant"}


def inputs(watch, features, rows, index):
    places = watch.inputs.places(list(features.values()), rows.scores)
    counts = watch.inputs.counts(places, np.zeros(len(places), np.intp), 1)[0]
    return Inputs(index * WINDOW, (index + 1) * WINDOW, len(places), 0, counts)


def run_inputs(watch, views):
    kinds = [name for name, one in watch.detectors.items() if one.reads == "inputs"]
    states = {name: watch.detectors[name].fresh() for name in kinds}
    verdicts = {name: [] for name in kinds}
    for view in views:
        for name in kinds:
            states[name], verdict = watch.detectors[name].observe(states[name], view)
            verdicts[name].append(verdict)
    return verdicts, states


def test_natural_variation_widens_the_tolerance_and_too_much_of_it_is_reported():
    rng = np.random.default_rng(0)
    n, days = 20_000, 40
    day = np.arange(n) * days // n
    rows = draw(n, rng)
    wandering = {
        "a": rows.features["a"],
        "b": rows.features["b"] + 0.1 * rng.normal(size=days)[day],
        "idle": rows.features["idle"] + 3.0 * rng.normal(size=days)[day],
        "place": rows.features["place"],
    }
    times = day * WINDOW + np.arange(n) % (n // days) * SECOND
    base = reference(rows, past=wandering, past_times=times)
    held = replace(base.held_out, features=wandering, times=times)
    baseline = fit(replace(base, held_out=held), promise=100, seed=1)
    kinds = [f"{one.what} {one.aspect}" for one in input_streams(baseline)]
    tau = dict(zip(kinds, baseline.variation["inputs"].tau, strict=True))
    assert tau["feature:a location"] < 0.06
    assert 0.07 < tau["feature:b location"] < 0.16
    assert any(
        one.startswith("feature:idle (location): varies by") for one in baseline.unmonitorable
    )
    assert not [one for one in baseline.unmonitorable if "feature:a" in one or "feature:b" in one]
    directions = Watch(baseline, 100).detectors["inputs"]._reading.directions
    assert "feature:b" in {one.what for one in directions}
    assert any(
        "feature:idle (location)" in one and "no change below" in one
        for one in baseline.unmonitorable
    )


def test_few_windows_bound_the_variation_from_above():
    rng = np.random.default_rng(0)
    rows = draw(4000, rng)
    few = fit(reference(rows), promise=100, seed=1)
    assert few.reference_windows == (10, 10)
    many = fit(reference(rows, window_us=60 * SECOND), promise=100, seed=1)
    assert many.reference_windows[0] > 10
    mean = [np.mean(one.variation["inputs"].tau) for one in (few, many)]
    assert mean[0] > 0.02
    assert few.volume is None
    assert any(one.startswith("volume") for one in few.unmonitorable)
    assert many.volume is not None


def test_reference_windows_by_hand():
    times = np.repeat(np.arange(12), [300, 100, 100, 50, *[200] * 8]) * WINDOW
    groups = reference_windows(times, WINDOW)
    assert np.bincount(groups).tolist() == [300, 200, 250, *[200] * 7]
    shuffled = np.random.default_rng(0).permutation(len(times))
    np.testing.assert_array_equal(reference_windows(times[shuffled], WINDOW), groups[shuffled])
    stretches = reference_windows(np.arange(4000) * SECOND, WINDOW)
    assert np.bincount(stretches).tolist() == [400] * 10
    assert np.bincount(reference_windows(np.arange(450), WINDOW)).tolist() == [225, 225]
    assert reference_windows(np.arange(7), WINDOW).tolist() == [0] * 7


def test_blocks_keep_neighbours_together():
    order = blocks(96, 1000, 0)
    assert len(order) == 1000
    assert (np.diff(order) == 1).mean() > 0.9
    assert set(blocks(3, 50, 0).tolist()) == {0, 1, 2}


def test_the_factor_is_the_smallest_silent_one_and_a_margin():
    class Loud:
        """Alarms below a factor of 2.5."""

        def __init__(self, candidate):
            self.candidate = candidate

        def log_e(self, windows):
            return np.full((len(windows), 1), 1.0 if self.candidate < 2.5 else -3.0)

        def weights(self):
            return np.ones(1)

    windows = np.zeros((30, 1), np.int64)
    assert factor(Loud, windows, 1000.0, 1.0, 0) == 3.5
    assert factor(lambda c: Loud(0.0), windows, 1000.0, 1.0, 0) == 6.0
    assert factor(Loud, windows[:0], 1000.0, 0.5, 0) == 0.5


def test_matured_windows_set_the_tolerance_for_labels():
    rng = np.random.default_rng(0)
    steady = np.stack([np.full(60, 1000), rng.binomial(1000, 0.97, 60)], axis=1)
    baseline = fit(small(matured=steady), promise=100, seed=1)
    assert baseline.variation["labels"].tau[0] < 0.1
    assert fit(small(), promise=100, seed=1).variation["labels"].tau == (0.5,)


def test_a_handful_of_rows_still_gives_a_baseline_that_says_what_it_cannot_watch():
    baseline = fit(small(60), promise=100, seed=1)
    watch = Watch(baseline, 100)
    assert any("reference rows are few" in one for one in baseline.unmonitorable), (
        baseline.unmonitorable
    )
    rng = np.random.default_rng(0)
    verdicts, _ = run(watch, [window(watch, draw(1000, rng), index) for index in range(5)])
    assert not any(one.alarm for each in verdicts.values() for one in each)


@pytest.mark.parametrize("n", [200, 5_000, 50_000])
def test_a_share_that_stays_below_its_floor_does_not_vary(n):
    (stream,) = strange_streams("x", CategoryCells(("a", "b")), np.array([600, 400, 0, 0, 0]))
    quiet = np.tile([n // 2, n // 2, 0, 0, 0], (40, 1))
    assert natural_variation(Streams([stream]), quiet, bounded=True) == pytest.approx([0.0])

"""The promise in short simulations; the benchmark has the long ones. And how small states are."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from shared.drift.evidence import NOTHING, grown
from shared.drift.fitting import fit
from shared.drift.readings import inputs_reading
from shared.drift.streams import Streams
from shared.drift.tilts import Tilts, _tilt
from shared.drift.watch import Watch, input_cells
from tests.unit.shared.drift.world import WINDOW, Rows, draw, reference, run, window

PROMISE = 40
ROWS = 250
REFERENCE_WINDOWS = 96


class Wandering:
    """Means that swing with a period of 24 windows, jitter, and remember."""

    def __init__(self, seed):
        self.rng, self.at, self.memory = np.random.default_rng(seed), 0, 0.0

    def next(self, n):
        self.at += 1
        self.memory = 0.9 * self.memory + 0.03 * self.rng.normal()
        swing = 0.1 * np.sin(2 * np.pi * self.at / 24) + 0.05 * self.rng.normal()
        return draw(n, self.rng, a=swing, idle=self.memory, prior=0.3 * self.memory)


class Independent:
    """The same world for ever."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def next(self, n):
        return draw(n, self.rng)


def joined(parts):
    names = parts[0].features
    features = {
        name: np.concatenate([part.features[name] for part in parts])
        if name != "place"
        else [place for part in parts for place in part.features[name]]
        for name in names
    }
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("scores", "labels", "losses")
    ]
    return Rows(features, *columns)


@pytest.mark.parametrize("world", [Independent, Wandering])
def test_false_alarms_of_all_detectors_together_are_rarer_than_promised(world):
    stream = world(1)
    rows = joined([stream.next(ROWS) for _ in range(REFERENCE_WINDOWS)])
    times = np.arange(REFERENCE_WINDOWS * ROWS) * (WINDOW // ROWS)
    made = reference(rows, past_times=times, arrived=1.0)
    made = replace(made, held_out=replace(made.held_out, times=times))
    watch = Watch(fit(made, promise=PROMISE, seed=1), PROMISE)
    windows = 700
    verdicts, _ = run(watch, (window(watch, stream.next(ROWS), at) for at in range(windows)))
    false = sum(one.alarm for each in verdicts.values() for one in each if one)
    assert false <= windows / PROMISE
    assert all(one is not None for each in verdicts.values() for one in each)


def test_false_alarms_at_the_edge_of_the_tolerance(binary):
    """Every feature is as far off as it may be, for 20,000 windows."""
    level, windows = 50.0, 20_000
    reading = inputs_reading(binary, 2.0)
    width = input_cells(binary).width
    vectors = at_the_edge(reading.sources[0], width, np.random.default_rng(0), windows)
    weights, m, alarms = reading.weights(), np.full(len(reading.of()), NOTHING), 0
    for log_e in reading.log_e(vectors):
        m = grown(m, log_e)
        if weights @ np.exp(m) >= level:
            m, alarms = np.full_like(m, NOTHING), alarms + 1
    assert alarms <= windows / level


def at_the_edge(tilts: Tilts, width, rng, windows):
    """Counts of windows in which the first stream of every column is just within its tolerance."""
    vectors = np.zeros((windows, width), np.int64)
    seen = set()
    for stream, delta in zip(tilts.streams.each, tilts.delta, strict=True):
        if stream.what in seen:
            continue
        seen.add(stream.what)
        one = Streams([stream])
        eta = _tilt(one.values, one.shares, np.array([delta]))
        shares = (one.shares * np.exp(eta[:, None] * one.values))[0]
        vectors[:, stream.cells] = rng.multinomial(1000, shares / shares.sum(), windows)
    return vectors


def test_states_of_twenty_five_features_are_small():
    rng = np.random.default_rng(0)
    n = 8000
    numbers = {f"n{number}": rng.normal(size=n) for number in range(20)}
    names = [f"value {number}" for number in range(90)]
    chances = 1 / np.arange(1, 91)
    texts = {
        f"c{number}": rng.choice(names, n, p=chances / chances.sum()).tolist()
        for number in range(5)
    }
    rows = draw(n, rng)
    features = numbers | texts
    kinds = {name: "number" if name in numbers else "category" for name in features}
    base = reference(rows, kinds=kinds, importance=dict.fromkeys(kinds, 0.04), past=features)
    slices = dict(texts) | {"place": rows.features["place"]}
    held = replace(base.held_out, features=features, slices=slices)
    watch = Watch(fit(replace(base, held_out=held), promise=1000, seed=1), 1000)
    few = replace(
        draw(190, rng), features={name: column[:190] for name, column in features.items()}
    )
    views = window(watch, few, 0, slices={"place": rows.features["place"][:190]})
    for detector in watch.detectors.values():
        state, _ = detector.observe(detector.fresh(), views[detector.reads])
        assert len(msgspec.msgpack.encode(state)) <= 10_000
        assert len(state.waiting) > 0 or detector.name == "quality"

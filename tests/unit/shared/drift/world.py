"""A small world whose drift is known: used features, an unused one, a category with a null."""

from dataclasses import dataclass

import numpy as np

from shared.drift.baseline import Baseline
from shared.drift.counting import grouped
from shared.drift.fitting import Held, Reference, fit
from shared.drift.watch import Watch
from shared.drift.windows import Inputs, Intake, Outcomes
from shared.losses import losses

SECOND = 1_000_000
WINDOW = 1000 * SECOND
KINDS = {"a": "number", "b": "number", "idle": "number", "place": "category"}
IMPORTANCE = {"a": 0.6, "b": 0.2, "idle": 0.0, "place": 0.2}
PLACES = np.array(["north", "south", "east", "west"])
EFFECT = {"north": 0.5, "south": -0.5, "east": 0.0, "west": 0.2, "new": 0.0}
CLASSES = ("red", "green", "blue")


@dataclass(frozen=True)
class Rows:
    """Rows of one draw."""

    features: dict
    scores: np.ndarray
    labels: np.ndarray
    losses: np.ndarray


def logistic(z):
    return 1 / (1 + np.exp(-z))


def draw(
    n,
    rng,
    task="binary",
    *,
    a=0.0,
    idle=0.0,
    spread=1.0,
    flip=False,
    prior=0.0,
    null=0.0,
    unseen=0.0,
    bad_slice=None,
):
    """Draw n rows; every argument that is not at its default is a drift."""
    x = {"a": rng.normal(a, spread, n), "b": rng.normal(0, 1, n), "idle": rng.normal(idle, 1, n)}
    place = PLACES[rng.integers(0, 4, n)].astype(object)
    place[rng.random(n) < unseen] = "new"
    effects = np.array([EFFECT[one] for one in place])
    believed = 1.2 * np.clip(x["a"], -3, 3) + 0.6 * x["b"] + effects - 1.0
    # The model knows no more than its training region: beyond it, the truth bends.
    true = believed - 2.0 * np.maximum(x["a"] - 2.5, 0)
    if flip:
        true = -1.2 * x["a"] + 0.6 * x["b"] + effects - 1.0
    true = true + prior
    if bad_slice is not None:
        true = np.where(place == bad_slice, -true, true)
    x["a"] = np.where(rng.random(n) < null, np.nan, x["a"])
    scores, labels, metric = answers(task, believed, true, rng)
    features = {**x, "place": place.tolist()}
    return Rows(features, scores, labels, losses(metric, scores, labels))


def answers(task, believed, true, rng):
    n = len(true)
    if task == "binary":
        return logistic(believed), (rng.random(n) < logistic(true)).astype(float), "brier"
    if task == "regression":
        return believed, true + rng.normal(0, 1, n), "mae"
    odds, truth = (np.exp(np.stack([z, -z, 0.3 * z], axis=1)) for z in (0.7 * believed, 0.7 * true))
    odds, truth = odds / odds.sum(1, keepdims=True), truth / truth.sum(1, keepdims=True)
    labels = (rng.random((n, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    return odds, np.minimum(labels, 2).astype(float), "log_loss"


def reference(rows, task="binary", **changes) -> Reference:
    n = len(rows.labels)
    times = np.arange(n) * SECOND
    held = Held(
        times,
        rows.features,
        rows.scores,
        rows.labels,
        rows.losses,
        {"place": rows.features["place"]},
    )
    values = {
        "task": task,
        "classes": CLASSES if task == "multiclass" else (),
        "window_us": WINDOW,
        "kinds": KINDS,
        "importance": IMPORTANCE,
        "held_out": held,
        "past_times": times,
        "past": rows.features,
        "delays_us": np.arange(1, 101) * SECOND,
        "arrived": 0.97,
    }
    return Reference(**(values | changes))


def baseline(task="binary", n=20_000, promise=1000, seed=0) -> Baseline:
    rows = draw(n, np.random.default_rng(seed), task)
    return fit(reference(rows, task), promise=promise, seed=1)


def window(watch: Watch, rows: Rows, index: int, labelled=None, slices=None) -> dict:
    """All three views of one window: inputs, outcomes, intake."""
    n = len(rows.labels)
    start, end = index * WINDOW, (index + 1) * WINDOW
    one = np.zeros(n, np.intp)
    places = watch.inputs.places(list(rows.features.values()), rows.scores)
    cells = watch.outcomes
    loss, residual = cells.losses(rows.losses), cells.residuals(rows.scores, rows.labels)
    by_slice = {}
    for feature, values in (slices or {"place": rows.features["place"]}).items():
        names = np.array(values)
        for name in np.unique(names):
            counts = np.bincount(loss[names == name], minlength=cells.loss_width)
            by_slice[feature, str(name)] = counts
    outcomes = Outcomes(
        start,
        end,
        n if labelled is None else int(n / labelled),
        n,
        grouped(loss, one, 1, cells.loss_width)[0],
        grouped(residual, one, 1, cells.residual_width)[0],
        by_slice,
    )
    return {
        "inputs": Inputs(start, end, n, 0, watch.inputs.counts(places, one, 1)[0]),
        "outcomes": outcomes,
        "intake": Intake(start, end, n, 0),
    }


def run(watch: Watch, windows, states=None):
    """Feed windows to every detector; return verdicts by detector and the states after."""
    states = states or {name: one.fresh() for name, one in watch.detectors.items()}
    verdicts = {name: [] for name in watch.detectors}
    for views in windows:
        for name, detector in watch.detectors.items():
            states[name], verdict = detector.observe(states[name], views[detector.reads])
            verdicts[name].append(verdict)
    return verdicts, states


def alarms(verdicts) -> dict:
    """First alarm of each detector, by index of the window."""
    return {
        name: index
        for name, each in verdicts.items()
        for index in [next((i for i, one in enumerate(each) if one and one.alarm), None)]
        if index is not None
    }

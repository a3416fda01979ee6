"""Baselines for a monitor in memory: a model of carriers, of which 1 in 4 predictions come true."""

from __future__ import annotations

from functools import cache

import numpy as np

from shared.drift.fitting import Held, Reference, fit
from tests.service.monitor.world import DAY0

DAY_US = 86_400_000_000
START_US = int(DAY0.timestamp() * 1_000_000)
DIGEST, OTHER = "1" * 64, "2" * 64
CARRIERS = {"UA": 0.2, "VX": 0.4}


def score_of(carriers):
    """Score as the model does: VX is late twice as often."""
    return np.array([CARRIERS.get(carrier, 0.3) for carrier in carriers])


def stream(days, per_day, seed, start=0):
    """Make a quiet stream: offsets in hours from DAY0, carriers, plans, scores and truths."""
    rng = np.random.default_rng(seed)
    n = days * per_day
    hours = np.sort(rng.uniform(24 * start, 24 * (start + days), n))
    carriers = rng.choice(list(CARRIERS), n, p=[0.75, 0.25]).tolist()
    plans = rng.integers(0, 1000, n).astype(float)
    scores = score_of(carriers)
    return hours, carriers, plans, scores, rng.random(n) < scores


@cache
def baseline(promise=100, per_day=300):
    """Fit the baseline on 60 quiet days before DAY0."""
    hours, carriers, plans, scores, truths = stream(60, per_day, 7, start=-60)
    times = START_US + (hours * 3.6e9).astype(np.int64)
    labels = truths.astype(float)
    losses = -np.log(np.where(truths, scores, 1 - scores))
    features = {"carrier": carriers, "plan": plans}
    held = Held(times, features, scores, labels, losses, {"carrier": carriers})
    reference = Reference(
        task="binary",
        classes=(),
        window_us=DAY_US,
        kinds={"carrier": "category", "plan": "number"},
        importance={"carrier": 1.0, "plan": 0.0},
        held_out=held,
        past_times=times,
        past=features,
        delays_us=np.full(len(times), 3_600_000_000),
        arrived=1.0,
        matured=np.full((60, 2), per_day),
    )
    return fit(reference, promise=promise, seed=1)


class Shelf:
    """An artifact store: digest -> files; what is not there is waited for."""

    def __init__(self, *digests):
        files = {"baseline.json": baseline().to_bytes()} if digests else {}
        self.trees = dict.fromkeys(digests, files)

    def get(self, tree):
        if tree not in self.trees:
            raise FileNotFoundError(2, "no such file", f"artifacts/{tree}")
        return self.trees[tree]

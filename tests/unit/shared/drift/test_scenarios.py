"""Which alarm means what: the eight ways a world can change, for every task."""

import numpy as np
import pytest

from shared.drift.watch import Watch
from tests.unit.shared.drift.world import alarms, draw, run, window

PROMISE = 1000
BEFORE, AFTER = 8, 22
ALL = {"inputs", "impact", "quality", "loss", "calibration", "slices", "labels", "intake"}
LABELS = {"loss", "calibration", "slices"}

# what changes; who must notice; who may; whether the estimate without labels is believed
SCENARIOS = {
    "nothing": ({}, set(), set(), True),
    "an unused feature": ({"idle": 0.5}, {"inputs"}, set(), True),
    # harder cases cost more loss, so the loss may rise although the model is as right as ever
    "a used feature": ({"a": 0.5}, {"inputs", "impact"}, {"loss", "slices"}, True),
    "an unseen region": ({"a": 3.0}, ALL - {"quality", "labels", "intake"}, set(), False),
    "the concept": ({"flip": True}, LABELS, set(), True),
    "the prior": ({"prior": 0.5}, {"calibration"}, {"loss", "slices"}, True),
    "nulls": ({"null": 0.2}, {"quality"}, set(), True),
    "a slice": ({"bad_slice": "west"}, {"slices"}, {"loss", "calibration"}, True),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_who_notices(fitted, scenario):
    change, must, may, believable = SCENARIOS[scenario]
    watch, rng = Watch(fitted, PROMISE), np.random.default_rng(7)
    views = [
        window(watch, draw(1000, rng, fitted.task, **(change if at >= BEFORE else {})), at, 0.97)
        for at in range(BEFORE + AFTER)
    ]
    verdicts, _ = run(watch, views)
    first = alarms(verdicts)
    assert must <= set(first) <= must | may
    assert all(at >= BEFORE for at in first.values())
    assert all(verdicts[name][at].since >= (BEFORE - 3) * 10**9 for name, at in first.items())
    after = views[-1]["inputs"]
    assert watch.estimate(after, doubted=False).valid == believable
    # Once labels have spoken against the scores, the estimate is flagged: the concept, the prior.
    if first.keys() & LABELS:
        assert not watch.estimate(after, doubted=True).valid


def test_a_slice_is_found_where_the_whole_hides_it(binary):
    watch, rng = Watch(binary, PROMISE), np.random.default_rng(3)
    rows = [draw(400, rng, bad_slice="north") for _ in range(25)]
    verdicts, _ = run(watch, [window(watch, one, at) for at, one in enumerate(rows)])
    first = alarms(verdicts)
    assert verdicts["slices"][first["slices"]].listed[0] == "slice:place=north"

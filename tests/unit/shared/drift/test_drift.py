"""From reference rows to verdicts."""

import numpy as np
import pytest

from shared.drift.baseline import Baseline
from shared.drift.watch import Watch
from tests.unit.shared.drift.world import alarms, baseline, draw, run, window


@pytest.fixture(scope="session", params=["binary", "multiclass", "regression"])
def fitted(request):
    return baseline(request.param)


def test_a_quiet_world_raises_nothing_and_a_flipped_one_does(fitted):
    watch, rng = Watch(fitted, 1000), np.random.default_rng(5)
    quiet = [window(watch, draw(1000, rng, fitted.task), i) for i in range(30)]
    flipped = [window(watch, draw(1000, rng, fitted.task, flip=True), i) for i in range(30, 40)]
    verdicts, _ = run(watch, quiet + flipped)
    first = alarms(verdicts)
    assert {"loss", "calibration", "slices"} == set(first)
    assert all(30 <= index < 36 for index in first.values())
    verdict = verdicts["calibration"][first["calibration"]]
    assert verdict.since == quiet[-1]["inputs"].end


def test_a_baseline_is_the_same_after_a_journey(fitted):
    data = fitted.to_bytes()
    again = Baseline.from_bytes(data)
    assert again == fitted
    assert again.to_bytes() == data

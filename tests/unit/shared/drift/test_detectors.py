"""Detectors: small windows wait, restarts and replays change nothing, blame is never wrong."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from shared.drift.evidence import NOTHING
from shared.drift.verdicts import State
from shared.drift.watch import Watch
from shared.drift.windows import Inputs, Intake, Outcomes
from tests.unit.shared.drift.world import WINDOW, alarms, draw, run, window

PROMISE = 100


@pytest.fixture(scope="module")
def watch(binary):
    return Watch(binary, PROMISE)


@pytest.fixture(scope="module")
def story(watch):
    """Ten quiet windows, ten drifted ones, five quiet ones."""
    rng = np.random.default_rng(11)
    changes = [{}] * 10 + [{"a": 0.3, "flip": True, "null": 0.1}] * 10 + [{}] * 5
    return [window(watch, draw(600, rng, **one), at, 0.97) for at, one in enumerate(changes)]


def told(verdicts):
    return {
        name: [one and (one.alarm, one.evidence, one.since, one.listed) for one in each]
        for name, each in verdicts.items()
    }


def test_every_detector_has_its_share_of_the_promise(watch):
    reads = {name: one.reads for name, one in watch.detectors.items()}
    assert reads == {
        "inputs": "inputs",
        "impact": "inputs",
        "quality": "inputs",
        "loss": "outcomes",
        "calibration": "outcomes",
        "slices": "outcomes",
        "labels": "outcomes",
        "intake": "intake",
    }
    assert {one.level for one in watch.detectors.values()} == {PROMISE * 8.0}
    for name, one in watch.detectors.items():
        assert one.name == name
        assert one._weights.sum() == pytest.approx(1.0)
        assert (one._weights >= 0).all()


def test_a_restart_in_the_middle_gives_the_same_alarms(watch, story):
    whole, _ = run(watch, story)
    assert {"inputs", "impact", "quality", "loss", "calibration", "slices"} <= set(alarms(whole))
    for cut in (5, 11, 15):
        before, states = run(watch, story[:cut])
        stored = {name: msgspec.msgpack.encode(state) for name, state in states.items()}
        again = {name: msgspec.msgpack.decode(data, type=State) for name, data in stored.items()}
        assert again == states
        after, _ = run(Watch(watch.baseline, PROMISE), story[cut:], again)
        joined = {name: before[name] + after[name] for name in whole}
        assert joined == whole


def test_the_same_twice_is_the_same_and_observing_changes_nothing(watch, story):
    _, states = run(watch, story[:12])
    kept = {name: msgspec.msgpack.encode(state) for name, state in states.items()}
    for name, detector in watch.detectors.items():
        first, second = (detector.observe(states[name], story[12][detector.reads]) for _ in "ab")
        assert first == second
        assert msgspec.msgpack.encode(states[name]) == kept[name]


def test_a_window_that_comes_again_changes_nothing(watch, story):
    once, _ = run(watch, story)
    repeated = [one for at in range(len(story)) for one in [story[at], *story[max(0, at - 2) : at]]]
    again, _ = run(watch, repeated)
    for name, each in told(again).items():
        assert [one for one in each if one] == told(once)[name]


def test_small_windows_wait_for_each_other(watch):
    rng = np.random.default_rng(5)
    parts = [window(watch, draw(90, rng), at) for at in range(3)]
    for name in ("inputs", "impact", "loss", "calibration", "slices", "labels", "intake"):
        detector = watch.detectors[name]
        state, verdicts = detector.fresh(), []
        for part in parts:
            state, verdict = detector.observe(state, part[detector.reads])
            verdicts.append(verdict)
        assert verdicts[:2] == [None, None]
        merged = added([part[detector.reads] for part in parts])
        after, verdict = detector.observe(detector.fresh(), merged)
        assert verdict == verdicts[2]
        assert after == state
        assert state.rows == 0
        assert not state.waiting


def added(parts):
    """One window with the counts of several."""
    first, last = parts[0], parts[-1]
    if isinstance(first, Inputs):
        counts = sum(part.counts for part in parts)
        return Inputs(first.start, last.end, sum(part.n for part in parts), 0, counts)
    if isinstance(first, Intake):
        return Intake(first.start, last.end, sum(part.received for part in parts), 0)
    keys = {key for part in parts for key in part.slices}
    nothing = np.zeros_like(first.losses)
    return Outcomes(
        first.start,
        last.end,
        sum(part.n for part in parts),
        sum(part.labelled for part in parts),
        sum(part.losses for part in parts),
        sum(part.residuals for part in parts),
        {key: sum(part.slices.get(key, nothing) for part in parts) for key in keys},
    )


def test_waiting_windows_survive_a_restart(watch):
    rng = np.random.default_rng(6)
    state, _ = watch.detectors["slices"].observe(
        watch.detectors["slices"].fresh(), window(watch, draw(150, rng), 0)["outcomes"]
    )
    assert state.rows == 150
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State) == state


def test_the_start_of_a_change_is_found_within_a_few_windows(watch):
    off = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        quiet = [window(watch, draw(300, rng), at) for at in range(12)]
        drifted = [window(watch, draw(300, rng, a=0.3), at) for at in range(12, 40)]
        verdicts, _ = run(watch, quiet + drifted)
        first = alarms(verdicts)["inputs"]
        verdict = verdicts["inputs"][first]
        off.append(verdict.since // WINDOW - 12)
        assert verdict.listed == ("feature:a",)
        assert verdict.windows == first + 1 - verdict.since // WINDOW
        # A later alarm about the same change does not forget when it began.
        later = [one for one in verdicts["inputs"][first + 1 :] if one.alarm]
        assert later
        assert min(one.since for one in later) <= verdict.since + 3 * WINDOW
    assert np.median(np.abs(off)) <= 1
    assert max(np.abs(off)) <= 4


def test_an_alarm_starts_evidence_again_and_is_over_when_windows_are_normal(watch, story):
    detector, state = watch.detectors["quality"], None
    verdicts = []
    state = detector.fresh()
    for views in story:
        state, verdict = detector.observe(state, views["inputs"])
        verdicts.append(verdict)
        if verdict.alarm:
            assert (np.frombuffer(state.evidence, np.float32) == NOTHING).all()
            assert state.blamed == verdict.listed == ("null:a",)
            assert not verdict.normal
    assert [one.normal for one in verdicts[:10]] == [True] * 10
    first = next(at for at, one in enumerate(verdicts) if one.alarm)
    assert not any(one.normal for one in verdicts[first:20])
    assert all(one.normal for one in verdicts[20:])
    assert state.blamed == ()


@pytest.mark.parametrize(
    ("change", "detector", "suspects"),
    [
        ({"idle": 0.4}, "inputs", {"feature:idle"}),
        ({"spread": 1.4}, "inputs", {"feature:a"}),
        ({"null": 0.05}, "quality", {"null:a"}),
        ({"unseen": 0.03}, "inputs", {"unseen:place"}),
        ({"bad_slice": "west"}, "slices", {"slice:place=west"}),
        ({"prior": 0.6}, "calibration", {"calibration"}),
    ],
)
def test_blame_is_never_wrong(watch, change, detector, suspects):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        views = [window(watch, draw(1000, rng, **change), at) for at in range(20)]
        verdicts, _ = run(watch, views)
        raised = [one for one in verdicts[detector] if one.alarm]
        assert raised
        listed = {what.split("[")[0] for one in raised for what in one.listed}
        assert listed == suspects
        assert all(one.contributions[0].what in one.listed for one in raised)
        assert all(sum(c.share for c in one.contributions) <= 1.0 + 1e-9 for one in raised)
        assert raised[0].contributions[0].what in raised[0].summary


def test_contributions_say_which_way_and_how_far(watch):
    rng = np.random.default_rng(0)
    verdicts, _ = run(watch, [window(watch, draw(1000, rng, null=0.2, a=-0.5), 0)])
    null = verdicts["quality"][0].contributions[0]
    assert (null.what, null.direction) == ("null:a", "up")
    assert null.moved == pytest.approx(0.2, abs=0.05)
    location = next(c for c in verdicts["inputs"][0].contributions if c.what == "feature:a")
    assert location.direction in ("down", "shape")
    assert location.evidence > 1


def test_labels_that_stop_and_events_that_are_refused(watch):
    rng = np.random.default_rng(0)
    few = [window(watch, draw(700, rng), at, 0.7) for at in range(6)]
    verdicts, _ = run(watch, few)
    assert "labels" in alarms(verdicts)
    refused = [
        {
            **window(watch, draw(700, rng), at, 0.97),
            "intake": Intake(at * WINDOW, (at + 1) * WINDOW, 1000, 80, {"a": 80}),
        }
        for at in range(6)
    ]
    verdicts, _ = run(watch, refused)
    assert set(alarms(verdicts)) == {"intake"}
    assert set(verdicts["intake"][0].listed) <= {"quarantined", "quarantined:a"}


def test_late_rows_and_a_feed_that_dries_up(watch):
    rng = np.random.default_rng(0)
    views = [window(watch, draw(1000, rng), at)["inputs"] for at in range(6)]
    detector = watch.detectors["quality"]
    for changed, suspect in (
        ([replace(one, late=100) for one in views], "late"),
        ([replace(one, n=3, counts=one.counts // 300) for one in views], "volume"),
    ):
        state, raised = detector.fresh(), []
        for view in changed:
            state, verdict = detector.observe(state, view)
            raised += [verdict] if verdict.alarm else []
        assert raised[0].listed == (suspect,)
    # Half the rows of a canary are no loss of volume as long as all versions together have them.
    state = detector.fresh()
    for view in views:
        state, verdict = detector.observe(state, replace(view, n=view.n, total=20 * view.n))
    assert any(c.what == "volume" and c.direction == "up" for c in verdict.contributions)


def test_counts_of_another_baseline_are_refused(watch, story):
    foreign = replace(story[0]["inputs"], counts=np.zeros(3, np.int64), n=1000)
    detector = watch.detectors["inputs"]
    with pytest.raises((ValueError, IndexError)):
        detector.observe(detector.fresh(), foreign)

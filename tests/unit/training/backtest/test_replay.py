"""What a policy would have done, and that it could have known what it did it by."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from services.training.run.backtest.report import report
from services.training.run.backtest.simulation import steps
from tests.unit.training.backtest.stream import (
    DAY,
    HOUR,
    NEVER,
    OURS,
    PER_DAY,
    PSI,
    SCHEDULE,
    START,
    columns,
    declaration,
    history,
    replayed,
)

DAYS, CHANGE = 40, 25
END = START + DAYS * DAY


@pytest.fixture(scope="module")
def drawn():
    return columns(DAYS, CHANGE)


@pytest.fixture(scope="module")
def results(drawn):
    """Every policy over the same stream."""
    stream = history(drawn)
    return {
        policy.name: replayed(stream, policy, start=START, end=END)
        for policy in (NEVER, SCHEDULE, PSI, OURS)
    }


def known_by(result, at):
    """All that a replay has decided, told and served until a time."""
    served = [
        (champion.version, champion.since, tuple(score.tolist()))
        for champion in result.champions
        if champion.since <= at
        for key, score in sorted(champion.candidate._scores.items())
        if key[1] <= (at - START) // (DAY // PER_DAY)
    ]
    runs = [
        (run.version, run.at, run.labels, run.reason, run.pin, run.rows, run.evaluation)
        for run in result.desk.runs
        if run.at <= at
    ]
    alarms = [alarm for alarm in result.alarms if alarm.at <= at]
    return runs, alarms, [one for one in result.desk.suppressed if one.at <= at], served


@pytest.mark.parametrize("policy", [OURS, PSI], ids=lambda policy: policy.name)
@pytest.mark.parametrize("moment", ["first run", "later run", "first alarm", "some day"])
def test_nothing_is_decided_by_what_was_not_known(drawn, results, policy, moment):
    result, rng = results[policy.name], np.random.default_rng(0)
    at = {
        "first run": result.desk.runs[0].at,
        "later run": result.desk.runs[-2].at,
        "first alarm": result.alarms[0].at,
        "some day": START + 27 * DAY + 5 * HOUR,
    }[moment]
    matured = drawn["time"] + 24 * HOUR + DAY // 48
    unknown = np.maximum(matured, np.where(drawn["missing"], 0, drawn["label_time"])) > at
    future = drawn["time"] >= at
    assert unknown.sum() > future.sum() > 0
    other = {name: values.copy() for name, values in drawn.items()}
    other["label"][unknown] ^= rng.random(unknown.sum()) < 0.5
    other["missing"][unknown & (matured > at)] ^= rng.random((unknown & (matured > at)).sum()) < 0.3
    other["x"][future] = rng.normal(3.0, size=future.sum())
    other["place"][future] = "here"
    again = replayed(history(other), policy, start=START, end=END)
    assert known_by(again, at) == known_by(result, at)
    assert known_by(again, END) != known_by(result, END)


def test_the_first_model_comes_with_enough_labels_for_every_policy_alike(results):
    firsts = {(r.desk.runs[0].at, r.desk.runs[0].labels) for r in results.values()}
    ((at, labels),) = firsts
    assert 1500 <= labels < 1500 + PER_DAY
    # Seven days of events less those without a label, matured after horizon and lateness.
    assert at == START + 7 * DAY + 24 * HOUR + DAY // 48
    for result in results.values():
        assert result.champions[1].since == at + 10 * 60 * 1_000_000
        assert result.desk.runs[0].result == "promoted"


def test_never_never_trains_again_and_sees_the_loss_rise(results):
    result = results["never"]
    assert [run.result for run in result.desk.runs] == ["promoted"]
    loss = next(alarm for alarm in result.alarms if alarm.detector in ("loss", "calibration"))
    assert loss.kind == "retrain"
    assert START + CHANGE * DAY <= loss.at <= START + (CHANGE + 4) * DAY
    assert abs(loss.since - (START + CHANGE * DAY)) <= DAY


def test_ours_trains_on_the_change(results):
    result = results["ours"]
    drift = [run for run in result.desk.runs if run.trigger == "drift"]
    assert drift
    assert drift[0].at > START + CHANGE * DAY
    assert drift[0].pin.since is not None
    assert abs(drift[0].pin.since - (START + CHANGE * DAY)) <= DAY
    assert drift[0].result == "promoted"


def test_a_schedule_asks_by_the_clock_alone(results):
    runs = results["schedule"].desk.runs
    assert [run.trigger for run in runs[1:]] == ["schedule"] * len(runs[1:])
    gaps = {later.now - earlier.now for earlier, later in pairwise(runs)}
    assert gaps == {10 * DAY}


def test_cooldowns_hold_between_all_runs(results):
    for result in results.values():
        runs = result.desk.runs
        for earlier, later in pairwise(runs):
            assert later.now - earlier.now >= 3 * DAY


def test_a_new_champion_starts_with_fresh_detectors(results):
    champions = results["ours"].champions
    assert champions[0].watch is None
    assert all(champion.watch is not None for champion in champions[1:])
    assert all(one.states is not two.states for one, two in pairwise(champions))
    assert champions[1].watch.baseline != champions[2].watch.baseline


def test_policies_share_the_fit_of_the_same_pin(drawn):
    from services.training.run.backtest.candidates import Candidates
    from services.training.run.backtest.simulation import replay

    stream, heard = history(drawn), Counter()

    def hear(about):
        heard.update(["picked"] if "picked" in about else [])

    candidates = Candidates(stream, 1, hear)
    for policy in (NEVER, NEVER):
        end, run_time = START + 12 * DAY, timedelta(minutes=10)
        replay(
            stream, candidates, policy, start=START, end=end, run_time=run_time, advance=lambda _: 0
        )
    assert heard["picked"] == 1


def test_the_report_measures_from_the_first_model_on_by_hand(drawn, results):
    stream = history(drawn)
    answer = report(stream, list(results.values()), START, END)
    never = answer["policies"][0]
    first, prior = results["never"].champions[1], results["never"].champions[0]
    kept = (drawn["time"] >= first.since) & ~drawn["missing"]
    assert (
        answer["rows"]
        == kept.sum()
        == sum(window["rows"] for window in never["windows"])
        - ((drawn["time"] < first.since) & ~drawn["missing"]).sum()
    )
    model = first.candidate.model
    rows = [
        {"x": float(x), "place": str(place)}
        for x, place in zip(drawn["x"][kept], drawn["place"][kept], strict=True)
    ]
    p, y = model.score(rows), drawn["label"][kept]
    assert never["loss"] == pytest.approx(-np.log(np.where(y, p, 1 - p)).mean(), rel=1e-9)
    cost = np.where(p >= 0.25, ~y * 1.0, y * 3.0)
    assert never["cost"] == pytest.approx(cost.mean(), rel=1e-9)
    assert answer["prior"]["loss"] == pytest.approx(np.log(2))
    assert prior.version == "0.0.0"
    ours = answer["policies"][-1]
    assert ours["loss"] < never["loss"] - 0.1
    assert ours["promoted"] + ours["refused"] + ours["failed"] == len(ours["runs"])
    assert ours["retrains"] == len(ours["runs"]) - 1
    assert sum(ours["alarms"].values()) == len(ours["told"])


def test_a_missing_label_that_means_a_negative_is_one(drawn):
    declared = declaration(label={"name": "y", "horizon": "24h", "missing": "negative"})
    stream = history(drawn, declared)
    assert stream.labelled.all()
    assert not stream.labels[drawn["missing"]].any()


def test_windows_close_in_the_order_in_which_they_are_known():
    declared = declaration()
    found = list(steps(START, START + 3 * DAY, declared))
    assert [step.at for step in found] == sorted(step.at for step in found)
    assert all(START <= step.at <= START + 3 * DAY for step in found)
    heads = [step for step in found if step.kind == "inputs" and step.start >= START]
    assert [step.at - step.end for step in heads] == [HOUR // 2] * 2
    matured = [step for step in found if step.kind == "outcomes"]
    assert [step.at - step.end for step in matured] == [24 * HOUR + HOUR // 2] * len(matured)

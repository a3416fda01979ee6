"""One policy over the stream: windows close, detectors look, runs start, end and take over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from contracts.declaration import Declaration
from services.training.ports import Policy
from services.training.run.backtest.alarms import Alarm
from services.training.run.backtest.candidates import Candidates, measured, refusal
from services.training.run.backtest.desk import Desk, Run
from services.training.run.backtest.history import History
from services.training.run.backtest.watching import Champion

MICROSECOND = timedelta(microseconds=1)
Advance = Callable[[int], None]


class Step(NamedTuple):
    """Something that can be known from a time on.

    Attributes:
        at: that time, microseconds.
        kind: a window has ended at the head of the stream, or its outcomes have matured.
        start, end: of the window.

    """

    at: int
    kind: Literal["inputs", "outcomes"]
    start: int
    end: int


@dataclass
class Replayed:
    """What a policy would have done.

    Attributes:
        champions: in the order in which they took over, the prior first.

    """

    policy: Policy
    declaration: Declaration
    champions: list[Champion]
    alarms: list[Alarm]
    desk: Desk


def steps(start: int, end: int, declaration: Declaration) -> Iterator[Step]:
    """List the windows twice, in the order in which they could be known, from `start` to `end`.

    Args:
        start: of the replay, microseconds; older windows whose outcomes mature later are listed.
        end: nothing that is known later is listed.
        declaration: gives the windows, the horizon and the lateness.

    """
    spec = declaration.spec
    window, lateness = spec.drift.window // MICROSECOND, spec.label.lateness // MICROSECOND
    maturity = maturity_of(declaration)
    found = []
    for begin in range((start - maturity) // window * window, end, window):
        over = begin + window
        found.append(Step(over + lateness, "inputs", begin, over))
        found.append(Step(over + maturity, "outcomes", begin, over))
    return (step for step in sorted(found, key=lambda step: step.at) if start <= step.at <= end)


def maturity_of(declaration: Declaration) -> int:
    """Compute how long after an event its outcome is published, microseconds."""
    label = declaration.spec.label
    return (label.horizon + label.lateness) // MICROSECOND


def replay(
    history: History,
    candidates: Candidates,
    policy: Policy,
    *,
    start: int,
    end: int,
    run_time: timedelta,
    advance: Advance,
) -> Replayed:
    """Carry a policy through the stream.

    Nothing is decided by what was not known by then: windows are judged once they are over by the
    lateness, their outcomes once they have matured, and a run learns from matured outcomes alone.

    Args:
        history: the stream; what lies before `start` can be learned from.
        candidates: fits of all policies.
        policy: when to train.
        start: of the replay, microseconds; the prior decides.
        end: of it.
        run_time: of each run.
        advance: hears of the time that has been reached.

    """
    declaration = policy.applied(history.rows.declaration)
    desk = Desk(history, policy, declaration, run_time // MICROSECOND)
    replayed = Replayed(policy, declaration, [Champion("0.0.0", candidates.prior, start)], [], desk)
    desk.look(replayed.champions[-1], start - history.maturity, start)
    for step in steps(start, end, declaration):
        _settle(replayed, candidates, step.at)
        alarms = _judged(replayed, history, step)
        replayed.alarms += alarms
        now = step.at - history.maturity
        desk.heard(alarms, replayed.champions[-1], now)
        if step.kind == "outcomes":
            desk.look(replayed.champions[-1], now, step.at)
            advance(step.at)
    _settle(replayed, candidates, end)
    return replayed


def _settle(replayed: Replayed, candidates: Candidates, at: int) -> None:
    """End the run that is over by `at`; its candidate decides from then on if the gate lets it."""
    run = replayed.desk.runs[-1] if replayed.desk.runs else None
    if run is None or run.result is not None or run.ready > at:
        return
    champion = replayed.champions[-1]
    try:
        candidate = candidates.fitted(run.pin)
    except ValueError as error:
        run.result, run.detail = "failed", str(error)
        return
    evaluation = candidates.compared(candidate, champion.candidate, champion.version)
    run.rows, run.algorithm = candidate.rows, candidate.algorithm
    run.evaluation = measured(evaluation)
    refused = refusal(evaluation, replayed.declaration.spec.gates)
    run.result, run.detail = ("refused", refused) if refused else ("promoted", "")
    if refused is None:
        _take_over(replayed, candidates, run)


def _take_over(replayed: Replayed, candidates: Candidates, run: Run) -> None:
    """Let a candidate decide: fresh detectors, and what was wrong beside the old one is over."""
    candidate = candidates.fitted(run.pin)
    watch = candidates.watch(candidate, replayed.declaration)
    replayed.desk.standing.anew(run.ready)
    replayed.champions.append(
        Champion(
            run.version,
            candidate,
            run.ready,
            learned=run.labels,
            watch=watch,
            cooldown=replayed.declaration.spec.retraining.cooldown // MICROSECOND,
        )
    )


def _judged(replayed: Replayed, history: History, step: Step) -> list[Alarm]:
    """Show a window to what watches the champion."""
    champion, policy, standing = replayed.champions[-1], replayed.policy, replayed.desk.standing
    if step.kind == "outcomes":
        outcomes = champion.outcomes(history, step.start, step.end, step.at)
        if outcomes is None or policy.trigger == "psi":
            return []
        return list(champion.observed(outcomes, step.at, standing))
    inputs = champion.inputs(history, step.start, step.end)
    if inputs is None:
        return []
    if policy.trigger == "psi":
        return list(champion.unstable(inputs, step.at, policy.psi))
    return list(champion.observed(inputs, step.at, standing))

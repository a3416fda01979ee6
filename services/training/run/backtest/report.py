"""A replay in numbers: what was served, what it cost, what was trained and alarmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.declaration import Cost, Declaration
from services.training.run.backtest.alarms import Alarm
from services.training.run.backtest.desk import Run
from services.training.run.backtest.history import History
from services.training.run.backtest.simulation import MICROSECOND, Replayed
from services.training.run.backtest.watching import Champion
from services.training.run.evaluation import moment
from shared.drift.standing import Alert
from shared.losses import costs, losses

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Span:
    """The labelled events that are measured, and the windows they lie in.

    Attributes:
        rows: their numbers in the history.
        windows: (n,) index of each row's window in `starts`.
        starts: microseconds.

    """

    history: History
    start: int
    end: int
    rows: NDArray[np.intp]
    windows: NDArray[np.intp]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, history: History, start: int, end: int) -> Span:
        """Take the labelled events of a time."""
        part = history.between(start, end)
        rows = np.arange(part.start, part.stop)[history.labelled[part]]
        if not len(rows):
            raise ValueError(f"no event from {moment(start)} until {moment(end)} has a label")
        length = history.rows.declaration.spec.drift.window // MICROSECOND
        starts, windows = np.unique(history.times[rows] // length, return_inverse=True)
        return cls(history, start, end, rows, windows, starts * length)


@dataclass(frozen=True)
class Served:
    """Loss, and cost where decisions have one, of each row of a span."""

    loss: Vector
    cost: Vector | None

    def means(self, chosen: NDArray[np.bool_]) -> dict[str, float | None]:
        """Average over rows."""
        return {
            "loss": float(self.loss[chosen].mean()) if chosen.any() else None,
            "cost": float(self.cost[chosen].mean())
            if self.cost is not None and chosen.any()
            else None,
        }


def served(span: Span, scores: Vector) -> Served:
    """Measure scores against what happened."""
    declaration, labels = span.history.rows.declaration, span.history.labels[span.rows]
    loss = losses(declaration.spec.metric or "", scores, labels)
    return Served(loss, _costs(declaration, scores, labels))


def scores_of(span: Span, champions: Sequence[Champion]) -> Vector:
    """Score each row with the version that decided at its time."""
    history = span.history
    ends = [champion.since for champion in champions[1:]] + [span.end]
    parts = []
    length = history.rows.declaration.spec.drift.window // MICROSECOND
    for champion, end in zip(champions, ends, strict=True):
        begin = max(champion.since, span.start)
        first = begin // length * length
        for window in range(first, end, length):
            part = history.between(max(begin, window), min(end, window + length))
            if part.stop > part.start:
                parts.append(champion.candidate.scores(history, part)[history.labelled[part]])
    return np.concatenate(parts)


def report(history: History, replays: Sequence[Replayed], start: int, end: int) -> dict[str, Any]:
    """Write the answer of a backtest.

    Policies are compared from the time on at which each of them has a model of its own; the prior
    that decides before would be the same for all.
    """
    span, declaration = Span.of(history, start, end), history.rows.declaration
    taken = [replayed.champions[1].since for replayed in replays if replayed.champions[1:]]
    since = max(taken) if len(taken) == len(replays) else start
    chosen = history.times[span.rows] >= since
    as_served = history.rows.take(span.rows).served()
    prior = Champion("0.0.0", replays[0].champions[0].candidate, start)
    measured = [served(span, scores_of(span, one.champions)) for one in replays]
    return {
        "model": declaration.name,
        "metric": declaration.spec.metric,
        "from": _text(start),
        "to": _text(end),
        "measured_from": _text(since),
        "rows": int(chosen.sum()),
        "window_s": int(declaration.spec.drift.window.total_seconds()),
        "prior": served(span, scores_of(span, [prior])).means(chosen),
        "as_served": served(span, as_served).means(chosen),
        "policies": [
            _policy(span, replayed, of, chosen)
            for replayed, of in zip(replays, measured, strict=True)
        ],
    }


def _policy(
    span: Span, replayed: Replayed, of: Served, chosen: NDArray[np.bool_]
) -> dict[str, Any]:
    desk, spec = replayed.desk, replayed.declaration.spec
    return {
        "name": replayed.policy.name,
        "trigger": replayed.policy.trigger,
        "drift": spec.drift.model_dump(mode="json"),
        "retraining": spec.retraining.model_dump(mode="json"),
        **of.means(chosen),
        "whole": of.means(np.ones(len(chosen), dtype=bool)),
        **_counted(replayed),
        "versions": [
            {"version": champion.version, "since": _text(champion.since)}
            for champion in replayed.champions
        ],
        "runs": [_run(run) for run in desk.runs],
        "told": [_alarm(alarm) for alarm in replayed.alarms],
        "suppressed": [
            {"at": _text(one.at), "trigger": one.trigger, "reason": one.reason}
            for one in desk.suppressed
        ],
        "alerts": [_alert(alert) for alert in desk.standing.alerts],
        "windows": _windows(span, of),
    }


def _counted(replayed: Replayed) -> dict[str, Any]:
    """Count runs and alarms; a retrain is a run after the first model has taken over."""
    runs, alarms = replayed.desk.runs, replayed.alarms
    results = Counter(run.result for run in runs)
    first = replayed.champions[1].since if replayed.champions[1:] else None
    return {
        "retrains": sum(first is not None and run.at >= first for run in runs),
        **{result: results[result] for result in ("promoted", "refused", "failed")},
        "alarms": dict(Counter(alarm.detector for alarm in alarms)),
        "first_alarms": {alarm.detector: _text(alarm.at) for alarm in reversed(alarms)},
    }


def _windows(span: Span, of: Served) -> list[dict[str, Any]]:
    """Average by window of event time."""
    counts = np.bincount(span.windows)
    loss = np.bincount(span.windows, of.loss) / counts
    cost = None if of.cost is None else np.bincount(span.windows, of.cost) / counts
    return [
        {
            "start": _text(int(start)),
            "rows": int(counts[index]),
            "loss": float(loss[index]),
            **({} if cost is None else {"cost": float(cost[index])}),
        }
        for index, start in enumerate(span.starts)
    ]


def _run(run: Run) -> dict[str, Any]:
    return {
        "version": run.version,
        "decided": _text(run.at),
        "ended": _text(run.ready) if run.result else None,
        "pinned_until": _text(run.pin.until),
        "since": None if run.pin.since is None else _text(run.pin.since),
        "excluded": [[_text(start), _text(end)] for start, end in run.pin.excluded],
        "trigger": run.trigger,
        "reason": run.reason,
        "labels": run.labels,
        "new_labels": run.new_labels,
        "result": run.result,
        "detail": run.detail,
        "algorithm": run.algorithm,
        "evaluation": run.evaluation,
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "at": _text(alarm.at),
        "window": [_text(time) for time in alarm.window],
        "detector": alarm.detector,
        "version": alarm.version,
        "since": _text(alarm.since),
        "kind": alarm.kind,
        "evidence": alarm.evidence,
        "level": alarm.level,
        "blamed": list(alarm.blamed),
        "contributions": _contributions(alarm),
        "summary": alarm.summary,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "detector": alert.detector,
        "since": _text(alert.since),
        "until": None if alert.until is None else _text(alert.until),
        "blamed": alert.blamed,
    }


def _contributions(alarm: Alarm) -> Iterable[Mapping[str, Any]]:
    return [
        {
            "what": one.what,
            "aspect": one.aspect,
            "share": one.share,
            "evidence": one.evidence,
            "direction": one.direction,
            "moved": one.moved,
        }
        for one in alarm.contributions
    ]


def _costs(declaration: Declaration, scores: Vector, labels: Vector) -> Vector | None:
    if declaration.spec.task != "binary":
        return None
    price = declaration.spec.cost or Cost()
    return costs(scores, labels, declaration.threshold, price.false_negative, price.false_positive)


def _text(microseconds: int) -> str:
    return moment(microseconds).isoformat().replace("+00:00", "Z")

"""Complete windows -> drift.measured, drift.detected, alert.raised, alert.resolved."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from contracts import Event
from contracts.alerts import AlertRaised, AlertResolved
from contracts.base import Window
from contracts.performance import Contribution, DriftDetected, DriftMeasured, Estimate, Shown
from services.monitor.domain.acting import DOUBTS, DRIFTS, FAULTS, Drift, Fault, advice
from services.monitor.domain.heads import HeadCounts
from services.monitor.domain.ledger import IntakeCounts, Ledger, Open, Watching
from services.monitor.domain.merging import Whole
from services.monitor.domain.tallies import WindowSums
from services.monitor.handlers.payloads import microseconds, moment
from services.monitor.handlers.watching import Watched
from shared.drift import windows
from shared.drift.verdicts import State, Verdict
from shared.telemetry import Telemetry

MOST_BLAMED = 64
LONGEST = 2000


class Judging:
    """Runs the detectors of a model's champion over complete windows.

    Args:
        event: that completes them.
        at: the window of that event.
        ledger: of the model; the detectors' states in it move on.
        champion: its version; empty as long as nothing was released.
        watched: its baseline, if it has one.
        promise: N of the declaration.
        telemetry: of the service.

    """

    def __init__(
        self,
        event: Event,
        at: Window,
        *,
        ledger: Ledger,
        champion: str,
        watched: Watched | None,
        promise: int,
        telemetry: Telemetry,
    ) -> None:
        self.event, self.at, self.ledger = event, at, ledger
        self.champion, self.watched, self.promise = champion, watched, promise
        self.telemetry = telemetry

    def begin(self) -> list[Event]:
        """Start anew with a new champion: its own baseline says what is normal from here on."""
        before = self.ledger.watching
        if self.champion == before.version:
            return []
        self.ledger.watching = Watching(self.champion)
        told: list[Event] = []
        for name, known in sorted(before.open.items()):
            if name in FAULTS:
                self.ledger.resolve(name, microseconds(self.event.at))
                why = f"{self.champion} decides now, and its own baseline says what is normal"
                told += [self._resolved(FAULTS[name], alert, self.at, why) for alert in known.ids]
        if self.watched is not None:
            unmonitorable = len(self.watched.watch.baseline.unmonitorable)
            self.telemetry.gauge("features_unmonitorable", self.event.model, unmonitorable)
        return told

    def inputs(self, window: Whole[HeadCounts]) -> list[Event]:
        """Judge a complete window at the head."""
        counts = window.counts.versions.get(self.champion)
        watched = self._watched(counts.baseline) if counts else None
        if counts is None or watched is None:
            return []
        total = sum(one.n for one in window.counts.versions.values())
        # Those that came late are not among the n, and have no window of their own any more.
        late = min(counts.late, counts.n)
        seen = windows.Inputs(window.start, window.end, counts.n, late, counts.vector, total)
        told = self._observed(watched, "inputs", seen)
        return [*told, self._measured(watched, seen)]

    def outcomes(self, window: Whole[WindowSums]) -> list[Event]:
        """Judge a complete window of matured outcomes."""
        sums = window.counts.versions.get(self.champion)
        if sums is None:
            return []
        total = sums.total
        self.telemetry.gauge("labels_arrived", self.event.model, total.labelled / max(1, total.n))
        watched = self._watched(sums.baseline)
        if watched is None:
            return []
        cells = watched.watch.outcomes
        seen = windows.Outcomes(
            window.start,
            window.end,
            total.n,
            total.labelled,
            _vector(total.losses, cells.loss_width),
            _vector(sums.residuals, cells.residual_width),
            {
                (feature, value): _vector(part.losses, cells.loss_width)
                for feature, by_value in sums.slices.items()
                for value, part in by_value.items()
            },
        )
        return self._observed(watched, "outcomes", seen)

    def intake(self, window: Whole[IntakeCounts]) -> list[Event]:
        """Judge a complete window of what users have sent."""
        if self.watched is None:
            return []
        counts = window.counts
        refused = (counts.received, counts.quarantined, counts.fields)
        seen = windows.Intake(window.start, window.end, *refused)
        return self._observed(self.watched, "intake", seen)

    def _watched(self, baseline: str | None) -> Watched | None:
        """Find the champion's watch; None for a window that is not counted in its cells."""
        if self.watched is not None and baseline == self.watched.baseline:
            return self.watched
        self.telemetry.count("windows_without_baseline", self.event.model)
        return None

    def _observed(self, watched: Watched, reads: str, seen: windows.Window) -> list[Event]:
        watching, told = self.ledger.watching, list[Event]()
        for name, detector in watched.watch.detectors.items():
            if detector.reads != reads:
                continue
            known = watching.states.get(name)
            before = msgspec.msgpack.decode(known, type=State) if known else detector.fresh()
            state, verdict = detector.observe(before, seen)
            watching.states[name] = msgspec.msgpack.encode(state)
            if verdict is not None:
                watching.evidence[name] = verdict.evidence
                share = verdict.evidence / verdict.level
                self.telemetry.gauge("drift_evidence", f"{self.event.model} {name}", share)
                told += self._said(verdict, _window(seen))
        return told

    def _said(self, verdict: Verdict, window: Window) -> list[Event]:
        """Tell an alarm, or that what it was about is over."""
        known, fault = self.ledger.watching.open, FAULTS.get(verdict.detector)
        if verdict.alarm:
            earlier, blamed = known.setdefault(verdict.detector, Open()), _blamed(verdict)
            if fault:
                self.ledger.alert(fault, verdict.since, blamed)
                event = self._raised(fault, verdict, window, blamed)
            else:
                event = self._drift(DRIFTS[verdict.detector], verdict, window, blamed)
            asks = isinstance(event, DriftDetected) and event.recommendation == "retrain"
            if not asks and not earlier.news(blamed):
                return []
            earlier.note(event.event_id, blamed)
            return [event]
        over = known.pop(verdict.detector, None) if verdict.normal else None
        if over is None or fault is None:
            return []
        self.ledger.resolve(fault, microseconds(window.start))
        return [self._resolved(fault, alert, window, verdict.summary) for alert in over.ids]

    def _drift(
        self, detector: Drift, verdict: Verdict, window: Window, blamed: tuple[str, ...]
    ) -> Event:
        advised = advice(detector, verdict.since, verdict.until, self.ledger.spans)
        return DriftDetected.caused_by(
            self._cause(window),
            distinct=f"{self.champion} {detector}",
            version=self.champion,
            detector=detector,
            recommendation=advised.recommendation,
            **self._alarm(verdict, window, blamed, f"{verdict.summary}; {advised.reason}"),
        )

    def _raised(
        self, fault: Fault, verdict: Verdict, window: Window, blamed: tuple[str, ...]
    ) -> Event:
        return AlertRaised.caused_by(
            self._cause(window),
            distinct=f"{self.champion} {fault}",
            version=self.champion,
            detector=fault,
            **self._alarm(verdict, window, blamed, verdict.summary),
        )

    def _alarm(
        self, verdict: Verdict, window: Window, blamed: tuple[str, ...], summary: str
    ) -> dict[str, Any]:
        """Write what every alarm says."""
        return {
            "model": self.event.model,
            "at": self.event.at,
            "window": window,
            "since": moment(verdict.since),
            "evidence": verdict.evidence,
            "level": verdict.level,
            "promise": self.promise,
            "contributions": tuple(
                Contribution(
                    what=one.what[:300],
                    aspect=one.aspect[:300],
                    share=one.share,
                    evidence=one.evidence,
                    direction=one.direction,
                    moved=one.moved,
                )
                for one in verdict.contributions
            ),
            "blamed": blamed,
            "windows": max(1, verdict.windows),
            "summary": summary[:LONGEST],
        }

    def _resolved(self, fault: Fault, alert: str, window: Window, why: str) -> Event:
        return AlertResolved.caused_by(
            self._cause(window),
            distinct=alert,
            model=self.event.model,
            at=self.event.at,
            alert=alert,
            detector=fault,
            window=window,
            summary=why[:LONGEST],
        )

    def _measured(self, watched: Watched, seen: windows.Inputs) -> Event:
        watching, watch = self.ledger.watching, watched.watch
        doubted = any(name in watching.open for name in DOUBTS)
        estimate = watch.estimate(seen, doubted=doubted)
        window = _window(seen)
        return DriftMeasured.caused_by(
            self._cause(window),
            distinct=self.champion,
            model=self.event.model,
            at=self.event.at,
            version=self.champion,
            window=window,
            n=seen.n,
            evidence=dict(watching.evidence),
            level=max(detector.level for detector in watch.detectors.values()),
            features={
                name: Shown(psi=one.psi, js=one.js, missing=one.missing, unseen=one.unseen)
                for name, one in watch.shown(seen).items()
            },
            estimate=Estimate(loss=estimate.loss, valid=estimate.valid, reasons=estimate.reasons),
            unmonitorable=watch.baseline.unmonitorable,
        )

    def _cause(self, window: Window) -> str:
        return f"window:{self.event.model}:{window.start.isoformat()}"


def _blamed(verdict: Verdict) -> tuple[str, ...]:
    """Name what has moved, without what kind of thing it is."""
    whats = verdict.listed or [one.what for one in verdict.contributions[:1]]
    return tuple(dict.fromkeys(what.split(":", 1)[-1] for what in whats))[:MOST_BLAMED]


def _vector(counts: list[int], width: int) -> windows.Counts:
    return np.array(counts or [0] * width, np.int64)


def _window(seen: windows.Window) -> Window:
    return Window(start=moment(seen.start), end=moment(seen.end))

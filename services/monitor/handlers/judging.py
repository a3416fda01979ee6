"""Complete windows -> the champion's detectors -> what they have to say."""

from __future__ import annotations

import msgspec
import numpy as np

from contracts import Event
from contracts.base import Window
from contracts.declaration import Declaration
from services.monitor.domain.acting import DRIFTS
from services.monitor.domain.heads import HeadCounts
from services.monitor.domain.ledger import IntakeCounts, Ledger, Watching
from services.monitor.domain.merging import Whole
from services.monitor.domain.tallies import WindowSums
from services.monitor.handlers.alarms import Alarms
from services.monitor.handlers.payloads import microseconds, microseconds_of, moment
from services.monitor.handlers.watching import Watched
from shared.drift import windows
from shared.drift.standing import FAULTS
from shared.drift.verdicts import State, Verdict
from shared.telemetry import Telemetry


class Judging:
    """Runs the detectors of a model's champion over complete windows.

    Args:
        declaration: of the model.
        ledger: of the model; the detectors' states in it move on.
        champion: its version; empty as long as nothing was released.
        watched: its baseline, if it has one.
        telemetry: of the service.

    """

    def __init__(
        self,
        declaration: Declaration,
        ledger: Ledger,
        *,
        champion: str,
        watched: Watched | None,
        telemetry: Telemetry,
    ) -> None:
        self.declaration, self.ledger = declaration, ledger
        self.model, self.spec = declaration.name, declaration.spec
        self.champion, self.watched, self.telemetry = champion, watched, telemetry

    def begin(self, latest: Window) -> list[Event]:
        """Start anew with a new champion: its own baseline says what is normal from here on.

        Args:
            latest: the window of which something was heard just now.

        """
        if self.champion == self.ledger.watching.version:
            return []
        over = self.ledger.standing.anew(microseconds(latest.end))
        self.ledger.watching = Watching(self.champion)
        if self.watched is not None:
            unmonitorable = len(self.watched.watch.baseline.unmonitorable)
            self.telemetry.gauge("features_unmonitorable", self.model, unmonitorable)
        alarms = self._alarms(microseconds(latest.start), microseconds(latest.end), 0)
        why = f"{self.champion} decides now, and its own baseline says what is normal"
        return [alarms.resolved(fault, one, why) for fault, ids in over.items() for one in ids]

    def inputs(self, window: Whole[HeadCounts]) -> list[Event]:
        """Judge a complete window at the head."""
        counts = window.counts.versions.get(self.champion)
        watched = self._watched(counts.baseline) if counts else None
        if counts is None or watched is None:
            return []
        total = sum(one.n for one in window.counts.versions.values())
        seen = windows.Inputs(window.start, window.end, counts.n, counts.late, counts.vector, total)
        alarms = self._alarms(window.start, window.end, microseconds_of(self.spec.label.lateness))
        told = self._observed(watched, "inputs", seen, alarms)
        evidence, doubted = self.ledger.watching.evidence, self.ledger.standing.doubted
        measured = alarms.measured(watched.watch, seen, evidence, doubted=doubted)
        return [*told, measured]

    def outcomes(self, window: Whole[WindowSums]) -> list[Event]:
        """Judge a complete window of matured outcomes."""
        sums = window.counts.versions.get(self.champion)
        if sums is None:
            return []
        total = sums.total
        self.telemetry.gauge("labels_arrived", self.model, total.labelled / max(1, total.n))
        watched = self._watched(sums.baseline)
        if watched is None:
            return []
        cells, label = watched.watch.outcomes, self.spec.label
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
        delay = microseconds_of(label.horizon + label.lateness)
        alarms = self._alarms(window.start, window.end, delay)
        return self._observed(watched, "outcomes", seen, alarms)

    def intake(self, window: Whole[IntakeCounts]) -> list[Event]:
        """Judge a complete window of what users have sent."""
        if self.watched is None:
            return []
        counts, length = window.counts, window.end - window.start
        refused = (counts.received, counts.quarantined, counts.fields)
        seen = windows.Intake(window.start, window.end, *refused)
        alarms = self._alarms(window.start, window.end, length)
        return self._observed(self.watched, "intake", seen, alarms)

    def _watched(self, baseline: str | None) -> Watched | None:
        """Find the champion's watch; None for a window that is not counted in its cells."""
        if self.watched is not None and baseline == self.watched.baseline:
            return self.watched
        self.telemetry.count("windows_without_baseline", self.model)
        return None

    def _observed(
        self, watched: Watched, reads: str, seen: windows.Window, alarms: Alarms
    ) -> list[Event]:
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
                self.telemetry.gauge("drift_evidence", f"{self.model} {name}", share)
                told += self._said(verdict, alarms)
        return told

    def _said(self, verdict: Verdict, alarms: Alarms) -> list[Event]:
        """Tell an alarm, or that what it was about is over."""
        fault, standing = FAULTS.get(verdict.detector), self.ledger.standing
        if not verdict.alarm:
            over = standing.calm(verdict, microseconds(alarms.window.start))
            return [alarms.resolved(FAULTS[verdict.detector], one, verdict.summary) for one in over]
        cooldown = microseconds_of(self.spec.retraining.cooldown)
        finding = standing.alarm(verdict, cooldown=cooldown)
        if finding is None:
            return []
        if fault is None:
            return [alarms.drift(DRIFTS[verdict.detector], finding)]
        alert = alarms.raised(fault, finding)
        standing.open[fault].ids.append(alert.event_id)
        return [alert]

    def _alarms(self, start: int, end: int, delay: int) -> Alarms:
        """Write about a window that is complete `delay` microseconds after its end."""
        window = Window(start=moment(start), end=moment(end))
        promise = self.spec.drift.false_alarms
        return Alarms(self.model, self.champion, promise, window, moment(end + delay))


def _vector(counts: list[int], width: int) -> windows.Counts:
    return np.array(counts or [0] * width, np.int64)

"""What detectors say, as events: drift.measured, drift.detected, alert.raised, alert.resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.alerts import AlertRaised, AlertResolved
from contracts.base import Window
from contracts.performance import Contribution, DriftDetected, DriftMeasured, Estimate, Shown
from services.monitor.domain.acting import Drift, Fault, advice
from services.monitor.domain.ledger import Span
from services.monitor.handlers.payloads import moment
from shared.drift import windows
from shared.drift.verdicts import Verdict
from shared.drift.watch import Watch

KINDS = {"feature", "slice", "null", "unseen", "range", "nonfinite", "quarantined"}
MOST_BLAMED = 64
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Alarms:
    """Writes what is found in one window of a model.

    Attributes:
        model: its name.
        champion: version that is watched.
        promise: N of the declaration.
        window: that is judged.
        at: event time at which it could be.

    """

    model: str
    champion: str
    promise: int
    window: Window
    at: datetime

    def measured(
        self,
        watch: Watch,
        seen: windows.Inputs,
        evidence: Mapping[str, float],
        *,
        doubted: bool,
    ) -> DriftMeasured:
        """Tell how far a window at the head lies from the baseline."""
        estimate = watch.estimate(seen, doubted=doubted)
        return DriftMeasured.caused_by(
            self._cause,
            distinct=self.champion,
            model=self.model,
            at=self.at,
            version=self.champion,
            window=self.window,
            n=seen.n,
            evidence=dict(evidence),
            level=max(detector.level for detector in watch.detectors.values()),
            features={
                name: Shown(psi=one.psi, js=one.js, missing=one.missing, unseen=one.unseen)
                for name, one in watch.shown(seen).items()
            },
            estimate=Estimate(loss=estimate.loss, valid=estimate.valid, reasons=estimate.reasons),
            unmonitorable=watch.baseline.unmonitorable,
        )

    def drift(self, detector: Drift, verdict: Verdict, alerts: Sequence[Span]) -> DriftDetected:
        """Tell drift, and what to do about it."""
        advised = advice(detector, verdict.since, verdict.until, alerts)
        return DriftDetected.caused_by(
            self._cause,
            distinct=f"{self.champion} {detector}",
            detector=detector,
            recommendation=advised.recommendation,
            **self._alarm(verdict, f"{verdict.summary}; {advised.reason}"),
        )

    def raised(self, fault: Fault, verdict: Verdict) -> AlertRaised:
        """Tell that the data are not what they were."""
        return AlertRaised.caused_by(
            self._cause,
            distinct=f"{self.champion} {fault}",
            detector=fault,
            **self._alarm(verdict, verdict.summary),
        )

    def resolved(self, fault: Fault, alert: str, why: str) -> AlertResolved:
        """Tell that an alert is over."""
        return AlertResolved.caused_by(
            self._cause,
            distinct=alert,
            model=self.model,
            at=self.at,
            alert=alert,
            detector=fault,
            window=self.window,
            summary=why[:LONGEST],
        )

    def _alarm(self, verdict: Verdict, summary: str) -> dict[str, Any]:
        return {
            "model": self.model,
            "at": self.at,
            "version": self.champion,
            "window": self.window,
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
            "blamed": blamed(verdict),
            "windows": max(1, verdict.windows),
            "summary": summary[:LONGEST],
        }

    @property
    def _cause(self) -> str:
        return f"window:{self.model}:{self.window.start.isoformat()}"


def blamed(verdict: Verdict) -> tuple[str, ...]:
    """Name what has moved, without what kind of thing it is."""
    whats = verdict.listed or [one.what for one in verdict.contributions[:1]]
    parted = ((what, *what.partition(":")) for what in whats)
    names = (name if name and kind in KINDS else what for what, kind, _, name in parted)
    return tuple(dict.fromkeys(names))[:MOST_BLAMED]

"""What detectors say, as events: drift.measured, drift.detected, alert.raised, alert.resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.alerts import AlertRaised, AlertResolved
from contracts.base import Window
from contracts.performance import Contribution, DriftDetected, DriftMeasured, Estimate, Shown
from services.monitor.domain.acting import Drift, advice
from services.monitor.handlers.payloads import moment
from shared.drift import windows
from shared.drift.standing import Fault, Finding
from shared.drift.watch import Watch

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

    def drift(self, detector: Drift, finding: Finding) -> DriftDetected:
        """Tell drift, and what to do about it."""
        reason = advice(detector, finding.broken)
        return DriftDetected.caused_by(
            self._cause,
            distinct=f"{self.champion} {detector}",
            detector=detector,
            recommendation="retrain" if finding.kind == "retrain" else "inform",
            **self._alarm(finding, f"{finding.verdict.summary}; {reason}"),
        )

    def raised(self, fault: Fault, finding: Finding) -> AlertRaised:
        """Tell that the data are not what they were."""
        return AlertRaised.caused_by(
            self._cause,
            distinct=f"{self.champion} {fault}",
            detector=fault,
            **self._alarm(finding, finding.verdict.summary),
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

    def _alarm(self, finding: Finding, summary: str) -> dict[str, Any]:
        verdict = finding.verdict
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
            "blamed": finding.blamed,
            "windows": max(1, verdict.windows),
            "summary": summary[:LONGEST],
        }

    @property
    def _cause(self) -> str:
        return f"window:{self.model}:{self.window.start.isoformat()}"

"""drift.detected, alert.raised, alert.resolved -> what waits, what blocks, what is left out."""

from __future__ import annotations

from contracts.alerts import AlertRaised, AlertResolved
from contracts.performance import DriftDetected
from services.training.domain.situation import Drift
from services.training.domain.spans import Span


class Alarms:
    """All that monitor has told; a copy of an alarm changes nothing."""

    def __init__(self) -> None:
        self._drifts: dict[str, DriftDetected] = {}
        self._raised: dict[str, AlertRaised] = {}
        self._resolved: dict[str, AlertResolved] = {}

    def drifted(self, event: DriftDetected, _: int) -> None:
        """Take note of drift."""
        self._drifts[event.event_id] = event

    def raised(self, event: AlertRaised, _: int) -> None:
        """Take note of an alert."""
        self._raised[event.event_id] = event

    def resolved(self, event: AlertResolved, _: int) -> None:
        """Take note of its end, which may be read before its beginning."""
        self._resolved[event.alert] = event

    def drifts(self, model: str) -> list[Drift]:
        """List all drift of a model."""
        return [drift_of(event) for event in self._drifts.values() if event.model == model]

    def open(self, model: str, version: str) -> tuple[tuple[str, str], ...]:
        """List the alerts that are not resolved, as (id, words), oldest first.

        An alert that the baseline of an earlier version gave rise to no longer counts.
        """
        return tuple(
            (alert.event_id, _words(alert))
            for alert in self._raised.values()
            if alert.model == model
            and alert.version in (None, version)
            and alert.event_id not in self._resolved
        )

    def spoilt(self, model: str) -> list[Span]:
        """List the event times under alerts that are resolved."""
        return [
            (alert.since, self._resolved[alert.event_id].window.start)
            for alert in self._raised.values()
            if alert.model == model and alert.event_id in self._resolved
        ]


def drift_of(event: DriftDetected) -> Drift:
    """Translate an alarm."""
    return Drift(
        event_id=event.event_id,
        version=event.version,
        detector=event.detector,
        since=event.since,
        until=event.window.end,
        harmful=event.recommendation == "retrain",
        summary=event.summary,
    )


def _words(alert: AlertRaised) -> str:
    """Say what is wrong, and in which fields."""
    fields = [name for name in alert.blamed if name not in alert.summary]
    return f"{', '.join(fields)}: {alert.summary}" if fields else alert.summary

"""What follows from verdicts: what is told, how often, and what broken data spoil.

Monitor runs these rules, a backtest replays them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import Struct, field

from shared.drift.verdicts import Verdict

Fault = Literal["quality", "labels", "intake"]

DOUBTS: Final = ("loss", "calibration", "slices")
FAULTS: Final[dict[str, Fault]] = {"quality": "quality", "labels": "labels", "intake": "intake"}
KINDS: Final = {"feature", "slice", "null", "unseen", "range", "nonfinite", "quarantined"}
MOST_COUNTED = 16


class Alert(Struct, array_like=True):
    """A time under a data-quality alert, microseconds; open while `until` is None."""

    detector: str
    since: int
    until: int | None
    blamed: list[str]

    def spoils(self, since: int, until: int) -> bool:
        """Tell whether evidence of [since, until) rests on it: it is open, or covers half of it."""
        if self.until is None:
            return self.since < until
        return 2 * (min(self.until, until) - max(self.since, since)) >= until - since


class Open(Struct, array_like=True):
    """What a detector has told since all was well.

    Attributes:
        ids: of the alerts, by which their end is told.
        blamed: by any of its alarms.
        asked: end of the window at which it last asked to retrain, microseconds.

    """

    ids: list[str] = field(default_factory=list)
    blamed: list[str] = field(default_factory=list)
    asked: int = -(2**62)

    def adds(self, blamed: Sequence[str], *, asks: bool, until: int, cooldown: int) -> bool:
        """Take note of an alarm; tell whether it adds something to what was told.

        It does when it blames something new, and when it asks to retrain and so long has passed
        since it did that a run may have been in vain.

        Args:
            blamed: by the alarm.
            asks: it asks to retrain.
            until: end of its window, microseconds.
            cooldown: of the model, microseconds.

        """
        again = asks and until - self.asked >= cooldown
        if set(blamed) <= set(self.blamed) and not again:
            return False
        self.blamed = sorted({*self.blamed, *blamed})
        self.asked = until if asks else self.asked
        return True


@dataclass(frozen=True, slots=True)
class Finding:
    """An alarm that is to be told.

    Attributes:
        verdict: that raised it.
        kind: what it is for: a reason to retrain, a fault of the data, or to be known.
        blamed: what has moved, without what kind of thing it is.
        broken: what was broken in the data that evidence against the model rests on.

    """

    verdict: Verdict
    kind: Literal["retrain", "fault", "inform"]
    blamed: tuple[str, ...]
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How the alarms of a model stand.

    Attributes:
        open: detector -> what it has told of the champion and is not over.
        alerts: times under a data-quality alert, oldest first.

    """

    open: dict[str, Open]
    alerts: list[Alert]

    @property
    def doubted(self) -> bool:
        """Whether labels speak against the champion."""
        return any(name in self.open for name in DOUBTS)

    @property
    def latest(self) -> list[Alert]:
        """The times under an alert that count: those that are open, and the latest of the rest."""
        over = [alert for alert in self.alerts if alert.until is not None][-MOST_COUNTED:]
        return [alert for alert in self.alerts if alert.until is None or alert in over]

    def alarm(self, verdict: Verdict, *, cooldown: int) -> Finding | None:
        """Take note of an alarm.

        Args:
            verdict: that raises it.
            cooldown: within which asking to retrain is not repeated, microseconds.

        Returns:
            what is to be told; None if it adds nothing to what was.

        """
        finding = self._found(verdict)
        if finding.kind == "fault":
            self._begin(verdict, finding.blamed)
        known, asks = self.open.setdefault(verdict.detector, Open()), finding.kind == "retrain"
        if known.adds(finding.blamed, asks=asks, until=verdict.until, cooldown=cooldown):
            return finding
        return None

    def calm(self, verdict: Verdict, at: int) -> list[str]:
        """Take note of a window without an alarm: what was told is over once all is normal in it.

        Args:
            verdict: on the window.
            at: its start, microseconds.

        Returns:
            the ids of the alerts that end with it.

        """
        known = self.open.pop(verdict.detector, None) if verdict.normal else None
        if known is None or verdict.detector not in FAULTS:
            return []
        self._end(verdict.detector, at)
        return known.ids

    def anew(self, at: int) -> dict[Fault, list[str]]:
        """Begin with a new champion: what was wrong beside the old one is over.

        Args:
            at: when it takes over, microseconds.

        Returns:
            detector -> ids of the alerts that end with it.

        """
        over = {FAULTS[name]: self.open[name].ids for name in sorted(self.open) if name in FAULTS}
        for detector in over:
            self._end(detector, at)
        self.open.clear()
        return over

    def _found(self, verdict: Verdict) -> Finding:
        names = blamed(verdict)
        if verdict.detector in FAULTS:
            return Finding(verdict, "fault", names)
        if verdict.detector not in DOUBTS:
            return Finding(verdict, "inform", names)
        spoiling = [one for one in self.latest if one.spoils(verdict.since, verdict.until)]
        broken = tuple(sorted({name for alert in spoiling for name in alert.blamed}))
        return Finding(verdict, "inform" if broken else "retrain", names, broken)

    def _begin(self, verdict: Verdict, names: Sequence[str]) -> None:
        """Begin a time under an alert, or widen the one that is open."""
        for alert in self.alerts:
            if alert.detector == verdict.detector and alert.until is None:
                alert.since = min(alert.since, verdict.since)
                alert.blamed = sorted({*alert.blamed, *names})
                return
        self.alerts.append(Alert(verdict.detector, verdict.since, None, sorted(names)))

    def _end(self, detector: str, at: int) -> None:
        for alert in self.alerts:
            if alert.detector == detector and alert.until is None:
                alert.until = at


def blamed(verdict: Verdict) -> tuple[str, ...]:
    """Name what has moved, without what kind of thing it is."""
    parted = ((what, *what.partition(":")) for what in verdict.listed)
    names = (name if name and kind in KINDS else what for what, kind, _, name in parted)
    return tuple(dict.fromkeys(names))

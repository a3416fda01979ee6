"""Everything that is known about the merged windows of a model, and about its champion."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct, field

from services.monitor.domain.heads import HeadCounts
from services.monitor.domain.merging import Merging
from services.monitor.domain.tallies import WindowSums

MOST_KEPT = 16


class IntakeCounts(Struct, array_like=True):
    """What came in during one window, of one partition or of all.

    Attributes:
        through: highest offset counted; -1 for none.
        received: events.
        quarantined: those of them that were refused.
        fields: refused events by the field at fault.

    """

    through: int = -1
    received: int = 0
    quarantined: int = 0
    fields: dict[str, int] = field(default_factory=dict)

    def add(self, other: IntakeCounts) -> None:
        """Add the counts of another partition."""
        self.through = max(self.through, other.through)
        self.received += other.received
        self.quarantined += other.quarantined
        for name, n in other.fields.items():
            self.fields[name] = self.fields.get(name, 0) + n


class Span(Struct, array_like=True):
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
        ids: of the events.
        blamed: by any of them.
        asked: end of the window at which it last asked to retrain, microseconds.

    """

    ids: list[str] = field(default_factory=list)
    blamed: list[str] = field(default_factory=list)
    asked: int = -(2**62)

    def silent(self, blamed: Collection[str], *, asks: bool, until: int, cooldown: int) -> bool:
        """Tell whether an alarm has nothing to add.

        It has when it blames something new, and when it asks to retrain and so long has passed
        since it did that a run may have been in vain.

        Args:
            blamed: by the alarm.
            asks: it asks to retrain.
            until: end of its window, microseconds.
            cooldown: of the model, microseconds.

        """
        again = asks and until - self.asked >= cooldown
        return bool(self.ids) and set(blamed) <= set(self.blamed) and not again

    def note(self, event_id: str, blamed: Collection[str], *, asks: bool, until: int) -> None:
        """Remember what was told."""
        self.ids = [*self.ids, event_id][-MOST_KEPT:]
        self.blamed = sorted({*self.blamed, *blamed})
        self.asked = until if asks else self.asked


class Watching(Struct):
    """How the champion is watched.

    Attributes:
        version: of the champion.
        states: detector -> its packed state.
        evidence: detector -> D after its latest window.
        open: detector -> what it has told and is not over.

    """

    version: str = ""
    states: dict[str, bytes] = field(default_factory=dict)
    evidence: dict[str, float] = field(default_factory=dict)
    open: dict[str, Open] = field(default_factory=dict)


class Ledger(Struct):
    """What is known about a model.

    Attributes:
        outcomes: windows of matured outcomes.
        inputs: windows at the head of the predictions.
        intake: windows of what users have sent.
        watching: the champion.
        spans: the latest times under a data-quality alert, oldest first.
        told: id of the part that completed windows -> what was told; the latest only.

    """

    outcomes: Merging[WindowSums] = field(default_factory=Merging)
    inputs: Merging[HeadCounts] = field(default_factory=Merging)
    intake: Merging[IntakeCounts] = field(default_factory=Merging)
    watching: Watching = field(default_factory=Watching)
    spans: list[Span] = field(default_factory=list)
    told: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    def remember(self, cause: str, told: list[tuple[str, bytes]], most: int) -> None:
        """Keep what the latest `most` parts have led to."""
        self.told[cause] = told
        self.told = dict(list(self.told.items())[-most:])

    def alert(self, detector: str, since: int, blamed: Collection[str]) -> None:
        """Begin a time under an alert, or widen the one that is open."""
        for span in self.spans:
            if span.detector == detector and span.until is None:
                span.since = min(span.since, since)
                span.blamed = sorted({*span.blamed, *blamed})
                return
        self.spans = [*self.spans, Span(detector, since, None, sorted(blamed))][-MOST_KEPT:]

    def resolve(self, detector: str, at: int) -> None:
        """End the time under an alert."""
        for span in self.spans:
            if span.detector == detector and span.until is None:
                span.until = at

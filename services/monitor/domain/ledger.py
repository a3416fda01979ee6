"""Everything that is known about the merged windows of a model, and about its champion."""

from __future__ import annotations

from msgspec import Struct, field

from services.monitor.domain.heads import HeadCounts
from services.monitor.domain.merging import Merging
from services.monitor.domain.tallies import WindowSums
from shared.drift.standing import Alert, Open, Standing


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
        spans: the times under a data-quality alert that count, oldest first.
        told: id of the part that completed windows -> what was told; the latest only.

    """

    outcomes: Merging[WindowSums] = field(default_factory=Merging)
    inputs: Merging[HeadCounts] = field(default_factory=Merging)
    intake: Merging[IntakeCounts] = field(default_factory=Merging)
    watching: Watching = field(default_factory=Watching)
    spans: list[Alert] = field(default_factory=list)
    told: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """How the alarms stand; what is noted there is noted here."""
        return Standing(self.watching.open, self.spans)

    def remember(self, cause: str, told: list[tuple[str, bytes]], most: int) -> None:
        """Keep what the latest `most` parts have led to, and of alerts what counts."""
        self.told[cause] = told
        self.told = dict(list(self.told.items())[-most:])
        self.spans = self.standing.latest

"""What a detector remembers, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from msgspec import Struct

from shared.drift.evidence import Way


class State(Struct, frozen=True, array_like=True):
    """What a detector remembers between windows.

    Attributes:
        evidence: log M of each bet, float32.
        runs: of each bet the declared windows from `origin` to the start of its run, plus 1; 0
            without one, uint16. A run goes on while windows speak for the change, or M > 4.
        origin: where runs are counted from, microseconds.
        until: end of the latest window, microseconds.
        start: of the windows that wait, microseconds.
        rows: of those.
        waiting: their counts, uint8, each below the least number of rows.
        blamed: by the latest alarm, until a window is normal again.

    """

    evidence: bytes
    runs: bytes
    origin: int | None = None
    until: int | None = None
    start: int | None = None
    rows: int = 0
    waiting: bytes = b""
    blamed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one suspect adds to the evidence.

    Attributes:
        what: such as feature:carrier, score, slice:origin=EWR, null:temp.
        aspect: of it: location, dispersion, a category, histogram, mean, share.
        share: of D.
        evidence: its own M.
        direction: it moved.
        moved: in standard deviations, or as a share of rows.

    """

    what: str
    aspect: str
    share: float
    evidence: float
    direction: Way
    moved: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector says about a window.

    Attributes:
        detector: its name.
        evidence: D.
        level: an alarm is raised from here on.
        alarm: raised; evidence starts again at 0.
        since: when the change began, microseconds.
        until: end of the window, microseconds.
        windows: declared windows between these.
        contributions: largest first.
        listed: those who are blamed, by e-BH at the level.
        summary: in words.
        normal: nothing that the latest alarm blames is beyond its tolerance in this window.

    """

    detector: str
    evidence: float
    level: float
    alarm: bool
    since: int
    until: int
    windows: int
    contributions: tuple[Contribution, ...]
    listed: tuple[str, ...]
    summary: str
    normal: bool


class Detector(Protocol):
    """Reads windows of one kind in order."""

    name: str
    level: float
    reads: Literal["inputs", "outcomes", "intake"]

    def fresh(self) -> State:
        """Know nothing."""

    def observe(self, state: State, window: Any) -> tuple[State, Verdict | None]:
        """Take the next window of the kind in `reads`."""

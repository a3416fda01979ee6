"""Detectors: evidence over windows, an alarm, and whom it blames."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from shared.drift.evidence import (
    NOTHING,
    Floats,
    detection,
    e_benjamini_hochberg,
    grown,
    lasting,
    shifted,
    summed,
)
from shared.drift.reading import Reading
from shared.drift.streams import Integers
from shared.drift.verdicts import Contribution, State, Verdict
from shared.drift.windows import Window

MOST_WINDOWS = 60_000
MOST_CONTRIBUTIONS = 20


class EDetector:
    """A weighted average of Shiryaev-Roberts e-detectors over everything its reading bets on.

    Args:
        name: of the detector.
        reading: what it sees of a window and bets on.
        level: at most one false alarm in so many windows.
        window_us: length of a declared window.

    """

    def __init__(self, name: str, reading: Reading, level: float, window_us: int) -> None:
        self.name, self.level, self.reads = name, level, reading.reads
        self._reading, self._window_us = reading, window_us
        self._of, self._weights = reading.of(), reading.weights()
        self._directions = reading.directions
        whats = dict.fromkeys(direction.what for direction in self._directions)
        self._whats = tuple(whats)
        index = {what: row for row, what in enumerate(whats)}
        self._what_of = np.array([index[one.what] for one in self._directions], np.intp)
        self._weight_of = summed(self._what_of[self._of], self._weights, len(whats))

    def fresh(self) -> State:
        """Know nothing."""
        evidence = np.full(len(self._of), NOTHING, np.float32)
        return State(evidence.tobytes(), np.zeros(len(self._of), np.uint16).tobytes())

    def observe(self, state: State, window: Window) -> tuple[State, Verdict | None]:
        """Take the next window; the same arguments give the same answer.

        Windows come in order of time. One that begins before the latest ended was taken already, or
        overlaps it, and changes nothing.

        Args:
            state: after the window before.
            window: of the kind in `reads`.

        Returns:
            the state after it, and what is to be said; None while windows of too few rows wait,
            and for a window that was taken before.

        Raises:
            ValueError: the counts are not those of this detector's baseline.

        """
        if state.until is not None and window.start < state.until:
            return state, None
        vector, rows = self._reading.vector(window), self._reading.rows(window)
        start = window.start if state.start is None else state.start
        if state.waiting:
            vector = vector + np.frombuffer(state.waiting, np.uint8)
            rows += state.rows
        if rows < self._reading.least:
            waiting = vector.astype(np.uint8).tobytes()
            return replace(state, until=window.end, start=start, rows=rows, waiting=waiting), None
        return self._judged(state, vector, start, window.end)

    def _judged(
        self, state: State, vector: Integers, start: int, end: int
    ) -> tuple[State, Verdict]:
        log_e = self._reading.log_e(vector[None, :])[0]
        log_m = grown(np.frombuffer(state.evidence, np.float32).astype(np.float64), log_e)
        origin = start if state.origin is None else state.origin
        now = max(start - origin, 0) // self._window_us + 1
        begun = np.frombuffer(state.runs, np.uint16).astype(np.int64)
        begun = lasting(begun, log_e, log_m, now)
        verdict = self._verdict(vector, log_m, origin + (begun - 1) * self._window_us, end, state)
        if verdict.alarm:
            log_m = np.full_like(log_m, NOTHING)
        blamed = verdict.listed if verdict.alarm else () if verdict.normal else state.blamed
        if now > MOST_WINDOWS:
            turn = now - MOST_WINDOWS // 2
            origin, begun = origin + turn * self._window_us, shifted(begun, turn)
        evidence, runs = log_m.astype(np.float32).tobytes(), begun.astype(np.uint16).tobytes()
        return State(evidence, runs, origin, end, blamed=blamed), verdict

    def _verdict(
        self, vector: Integers, log_m: Floats, begun: Integers, end: int, state: State
    ) -> Verdict:
        terms = detection(log_m, self._weights)
        latest = end - self._window_us
        d = float(terms.sum())
        alarm = d >= self.level
        by_direction = summed(self._of, terms, len(self._directions))
        since = min(int(begun[np.argmax(terms)]), latest) if d > 0 else latest
        contributions = self._contributions(by_direction, vector)
        return Verdict(
            detector=self.name,
            evidence=d,
            level=self.level,
            alarm=alarm,
            since=since,
            until=end,
            windows=max(1, -(-(end - since) // self._window_us)),
            contributions=contributions,
            listed=self._listed(contributions, alarm=alarm),
            summary=summary(self.name, contributions, d, self.level),
            normal=not alarm and self._normal(vector, state.blamed),
        )

    def _contributions(self, by_direction: Floats, vector: Integers) -> tuple[Contribution, ...]:
        """Add up the evidence of each suspect and name the way it moved most."""
        parts = summed(self._what_of, by_direction, len(self._whats))
        total = parts.sum()
        order = [row for row in np.argsort(-parts, kind="stable").tolist() if parts[row] > 0]
        moved = self._reading.moved(vector[None, :])[0]
        found = []
        for row in order[:MOST_CONTRIBUTIONS]:
            leading = int(np.argmax(np.where(self._what_of == row, by_direction, -1.0)))
            direction = self._directions[leading]
            found.append(
                Contribution(
                    what=direction.what,
                    aspect=direction.aspect,
                    share=float(parts[row] / total),
                    evidence=float(parts[row] / self._weight_of[row]),
                    direction=direction.way,
                    moved=float(moved[leading]),
                )
            )
        return tuple(found)

    def _listed(self, contributions: tuple[Contribution, ...], *, alarm: bool) -> tuple[str, ...]:
        """Blame by e-BH among all suspects; an alarm always blames its first."""
        silent = [0.0] * (len(self._whats) - len(contributions))
        evidence = [one.evidence for one in contributions] + silent
        chosen = e_benjamini_hochberg(evidence, self.level)
        listed = tuple(contributions[row].what for row in chosen)
        return listed or tuple(one.what for one in contributions[:1] if alarm)

    def _normal(self, vector: Integers, blamed: tuple[str, ...]) -> bool:
        suspects = np.array([one.what in blamed for one in self._directions], bool)
        return not bool((self._reading.outside(vector[None, :])[0] & suspects).any())


def summary(name: str, contributions: tuple[Contribution, ...], d: float, level: float) -> str:
    """Say in one line who moved, how, and how sure that is."""
    evidence = f"{name}: evidence {d:.3g}, alarm at {level:g}"
    if not contributions:
        return f"{evidence}; nothing to see"
    first = contributions[0]
    about = "" if first.aspect in ("mean", "share") else f" ({first.aspect})"
    way = {"up": "up", "down": "down", "shape": "changed its shape"}[first.direction]
    return (
        f"{evidence}; {first.what}{about} {way} by {abs(first.moved):.3g}, {first.share:.0%} of it"
    )

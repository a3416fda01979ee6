"""What was read from the monitor's topics, and how it differs from what must be read."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any

from contracts.performance import WindowCounted
from tests.storm.oracle import Cells, Sums, Truth, Word


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, in numbers; all but `records` and `outcomes` must be 0.

    Attributes:
        lost: ids without any outcome.
        wrong: ids whose last word is another than the truth.
        ghosts: outcomes that nothing which was sent leads to.
        conflicting: outcomes and parts of windows that were published under one id with two
            contents.
        unlabelled: ids without a label that have no or several outcomes.
        missing: first outcomes and corrections that were never published.
        cells: cells of windows that differ.
        parked: records in dead letters.
        records: outcomes in the log, copies included.
        outcomes: different ones.

    """

    lost: int
    wrong: int
    ghosts: int
    conflicting: int
    unlabelled: int
    missing: int
    cells: int
    parked: int
    records: int
    outcomes: int

    @property
    def faults(self) -> dict[str, int]:
        """What is not 0 and must be."""
        counts = asdict(self)
        return {k: n for k, n in counts.items() if n and k not in ("records", "outcomes")}

    def plus(self, other: Verdict) -> Verdict:
        """Add the verdict on another model."""
        return Verdict(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))


def _values(verdict: Verdict) -> list[int]:
    return list(asdict(verdict).values())


@dataclass(slots=True)
class Seen:
    """What has been read of one model."""

    words: dict[str, list[Word]] = field(default_factory=lambda: defaultdict(list))
    contents: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    parts: dict[tuple[Any, int], WindowCounted] = field(default_factory=dict)
    records: int = 0
    parked: int = 0

    def outcome(self, ce_id: str, value: bytes) -> None:
        """Take an outcome."""
        said = json.loads(value)
        self.records += 1
        self.contents[ce_id].add(value)
        self.words[said["id"]].append((said["label"], said["label_time"], said["status"]))

    def window(self, value: bytes) -> None:
        """Take a partition's part of a window."""
        part = WindowCounted.model_validate_json(value)
        self.contents[part.event_id].add(value)
        known = self.parts.get((part.window.start, part.partition))
        if known is None or part.through > known.through:
            self.parts[part.window.start, part.partition] = part

    def finals(self) -> dict[str, Word]:
        """Keep per id what a reader keeps: the greatest label time, then log order."""
        return {event_id: _last(words) for event_id, words in self.words.items()}

    def cells(self) -> Cells:
        """Merge the parts of windows."""
        cells: Cells = defaultdict(Sums)
        for part in self.parts.values():
            for tally in part.tallies:
                whole = {"": tally.total} | dict(tally.slices.get("carrier", {}))
                for carrier, one in whole.items():
                    sums = Sums(one.n, one.labelled, one.loss, one.predicted, one.observed)
                    cells[part.window.start, tally.version, carrier].add(sums)
        return cells


def _last(words: list[Word]) -> Word:
    last = words[0]
    for word in words[1:]:
        if (word[1] or "") >= (last[1] or ""):
            last = word
    return last


def judged(seen: Seen, truth: Truth) -> Verdict:
    """Compare what was read with what must be read."""
    finals = seen.finals()
    different = {event_id: set(words) for event_id, words in seen.words.items()}
    expected = {event_id: set(words) for event_id, words in truth.words.items()}
    ghosts = sum(len(words - expected.get(i, set())) for i, words in different.items())
    unlabelled = [i for i, words in truth.words.items() if words[-1][2] == "unlabelled"]
    return Verdict(
        lost=len(expected.keys() - different.keys()),
        wrong=sum(finals[i] != word for i, word in truth.finals.items() if i in finals),
        ghosts=ghosts,
        conflicting=sum(len(values) > 1 for values in seen.contents.values()),
        unlabelled=sum(len(different.get(i, ())) != 1 for i in unlabelled),
        missing=sum(len(words - different.get(i, set())) for i, words in expected.items()),
        cells=len(differing(seen, truth)),
        parked=seen.parked,
        records=seen.records,
        outcomes=sum(map(len, different.values())),
    )


def differing(seen: Seen, truth: Truth) -> list[str]:
    """Describe the cells of windows that differ."""
    cells, expected = seen.cells(), truth.cells
    pairs = {c: (cells.get(c, Sums()), expected.get(c, Sums())) for c in cells | expected}
    return [
        f"{start:%d %H:%M} {version} {carrier}: {was} instead of {should}"
        for (start, version, carrier), (was, should) in sorted(pairs.items())
        if not was.equals(should)
    ]

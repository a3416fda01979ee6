"""What was sent and what became of it: nothing lost, doubled, invented, altered or out of order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import takewhile
from typing import Literal

Fate = Literal["ok", "failed", "unknown"]

# Here bytes arrive as they were sent.
VERBATIM = ("events.validated", "labels.validated", "events.quarantined", "label", "dlq")
# Here a second copy changes what users read; a log may hold copies, for ids tell them apart.
APPLIED = ("store",)
# So far apart two partitions are read at most.
SKEW_S = 10.0
ORDERED = ("events.validated", "labels.validated", "predictions", "outcomes")


@dataclass(slots=True)
class Sent:
    """One record on its way in.

    Attributes:
        name: its id, or its key where it has no readable id.
        order: which of its key's records it is; None where no order was asked for.
        must: the effects it leads to once it was acknowledged.
        may: further effects it is free to have.
        at: wall seconds of the first attempt.
        fate: unknown until acknowledged or refused; the unknown may appear or not.

    """

    name: str
    key: bytes
    order: int | None
    content: bytes | None
    must: tuple[str, ...]
    may: tuple[str, ...]
    at: float
    fate: Fate = "unknown"


@dataclass(frozen=True, slots=True)
class Effect:
    """One record of a topic, or one row of a store.

    Attributes:
        kind: of the topic or store.
        name: of the record that it follows from.
        place: topic, partition, offset.
        content: what it says; copies say the same.
        at: wall seconds at which the broker appended it.
        revision: tells what is said anew, such as an outcome after a late label, from a copy.

    """

    kind: str
    name: str
    place: tuple[str, int, int]
    content: bytes | None
    at: float
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, each as `kind: name`, and how many harmless copies the logs hold.

    Attributes:
        lost: acknowledged to the sender, and an effect is missing.
        duplicates: applied twice in a store, or said twice and not the same.
        phantoms: an effect of something never sent, or of what must not have it.
        disordered: overtook another record of its key.
        altered: not the bytes that were sent.
        copies: equal records in a log beyond the first.
        revised: said anew, because a label came later than the declaration allows for.

    """

    lost: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    phantoms: tuple[str, ...] = ()
    disordered: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    copies: int = 0
    revised: int = 0

    def complaints(self) -> Iterator[str]:
        """Tell each kind of failure with its number and a few examples."""
        for about in fields(self):
            found = getattr(self, about.name)
            if isinstance(found, tuple) and found:
                yield f"{len(found)} {about.name} ({', '.join(found[:3])})"


class History:
    """Every send and every effect of one trial; the judge of what was promised."""

    def __init__(self) -> None:
        self.sends: dict[str, Sent] = {}
        self.effects: dict[str, dict[str, list[Effect]]] = defaultdict(dict)
        self._places: set[tuple[str, int, int]] = set()
        self._orders: dict[bytes, int] = defaultdict(int)

    def send(
        self,
        name: str,
        *,
        at: float,
        must: Collection[str],
        may: Collection[str] = (),
        key: bytes = b"",
        ordered: bool = False,
        content: bytes | None = None,
    ) -> Sent:
        """Note an attempt; its fate is set when it is known. A name is sent once or again."""
        if name not in self.sends:
            order = self._orders[key] if ordered else None
            self._orders[key] += 1
            sent = Sent(name, key, order, content, tuple(must), tuple(may), at)
            self.sends[name] = sent
        return self.sends[name]

    def saw(self, effect: Effect) -> None:
        """Note an effect; a place that is read again is not a second effect."""
        if effect.place not in self._places:
            self._places.add(effect.place)
            self.effects[effect.kind].setdefault(effect.name, []).append(effect)

    def holds(self, kind: str, effects: Iterable[Effect]) -> None:
        """Note all that a store holds now, in place of what it held before."""
        self.effects[kind] = defaultdict(list)
        for effect in effects:
            self.effects[kind][effect.name].append(effect)

    def missing(self) -> list[str]:
        """List the effects that were promised and have not been seen."""
        kinds = {kind for sent in self.sends.values() for kind in sent.must}
        return [f"{kind}: {name}" for kind in sorted(kinds) for name in self.missing_of(kind)]

    def missing_of(self, kind: str) -> list[str]:
        """List the names whose effect of this kind was promised and has not been seen."""
        seen = self.effects[kind]
        return [
            sent.name
            for sent in self.sends.values()
            if sent.fate == "ok" and kind in sent.must and sent.name not in seen
        ]

    def unanswered(self) -> int:
        """Count the sends of unknown fate."""
        return sum(sent.fate == "unknown" for sent in self.sends.values())

    def first(self, kind: str, since: float) -> float | None:
        """Find when the first effect of a record that was sent later than `since` was appended."""
        # They are about in the order in which they were appended, and this is asked often.
        latest = takewhile(
            lambda seen: seen[1][0].at > since - SKEW_S, reversed(self.effects[kind].items())
        )
        times = [
            effects[0].at
            for name, effects in latest
            if (sent := self.sends.get(name)) and sent.at > since
        ]
        return min(times, default=None)

    def copies(self) -> Counter[str]:
        """Count the records of each log that say what one before them has said."""
        found = Counter[str]()
        for kind, _, same in self._revisions():
            found[kind] += len(same) - 1
        return +found

    def verdict(self) -> Verdict:
        """Judge all that was sent and seen so far."""
        return Verdict(
            tuple(self.missing()),
            tuple(self._duplicates()),
            tuple(self._phantoms()),
            tuple(self._disordered()),
            tuple(self._altered()),
            sum(self.copies().values()),
            sum(len({e.revision for e in es}) - 1 for es in self.effects["outcomes"].values()),
        )

    def _duplicates(self) -> Iterator[str]:
        for kind, name, same in self._revisions():
            if len({effect.content for effect in same}) > 1 or (kind in APPLIED and len(same) > 1):
                yield f"{kind}: {name}"

    def _revisions(self) -> Iterator[tuple[str, str, list[Effect]]]:
        """Go through all effects, those that should say the same together."""
        for kind, seen in self.effects.items():
            for name, effects in seen.items():
                for revision in {effect.revision for effect in effects}:
                    yield kind, name, [e for e in effects if e.revision == revision]

    def _phantoms(self) -> Iterator[str]:
        for kind, seen in self.effects.items():
            for name in seen:
                sent = self.sends.get(name)
                if sent is None or sent.fate == "failed" or kind not in (*sent.must, *sent.may):
                    yield f"{kind}: {name}"

    def _disordered(self) -> Iterator[str]:
        for kind in ORDERED:
            latest: dict[bytes, int] = {}
            firsts = [effects[0] for effects in self.effects[kind].values()]
            for effect in sorted(firsts, key=lambda effect: effect.place):
                sent = self.sends.get(effect.name)
                if sent is None or sent.order is None:
                    continue
                if sent.order < latest.get(sent.key, -1):
                    yield f"{kind}: {effect.name}"
                latest[sent.key] = max(sent.order, latest.get(sent.key, -1))

    def _altered(self) -> Iterator[str]:
        for kind in VERBATIM:
            for name, effects in self.effects[kind].items():
                sent = self.sends.get(name)
                if (
                    sent
                    and kind in sent.must
                    and any(effect.content != sent.content for effect in effects)
                ):
                    yield f"{kind}: {name}"

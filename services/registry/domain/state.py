"""The state of a model: a fold over the entries of its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.registry.domain.facts import (
    PRIOR,
    Declared,
    Fact,
    Gated,
    Promoted,
    Registered,
    Rejected,
    Unchanged,
    VersionRef,
)

ZEROS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a model's log.

    Attributes:
        cause: id of the command or event it answers.
        previous: digest of the model's entry before.
        digest: of this entry's document.
        document: the entry as it stands on the wire.

    """

    seq: int
    event_id: str
    cause: str
    at: datetime
    previous: str
    digest: str
    fact: Fact
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """What a model is after some revision.

    Attributes:
        revision: number of entries.
        moved: revision of the last entry that changed anything; rejections do not.
        head: digest of the last entry.
        declared: the declaration in force; None before the first.
        declared_at: its revision.
        declarations: digest -> declaration, all there ever were, oldest first.
        registered: version -> what was registered, oldest first.
        gated: version -> the gate's judgement.
        line: champions that a rollback can return to, the present one last.
        promotions: revisions at which the champion changed.
        champions: all versions that ever were champion.

    """

    revision: int = 0
    moved: int = 0
    head: str = ZEROS
    declared: Declared | None = None
    declared_at: int = 0
    declarations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    registered: Mapping[str, Registered] = field(default_factory=dict)
    gated: Mapping[str, Gated] = field(default_factory=dict)
    line: tuple[str, ...] = ()
    promotions: tuple[int, ...] = ()
    champions: frozenset[str] = frozenset()

    @property
    def champion(self) -> str | None:
        """The version that decides; None before the declaration."""
        return self.line[-1] if self.line else None

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions, the prior first."""
        return (PRIOR, *self.registered)

    def reference(self, version: str) -> VersionRef:
        """Describe a version and its files.

        Raises:
            KeyError: no such version.

        """
        if version == PRIOR:
            return VersionRef(PRIOR, "prior")
        return self.registered[version].version


def fold(entries: Iterable[Entry], state: State | None = None) -> State:
    """Rebuild the state from the log."""
    state = state or State()
    for entry in entries:
        state = after(state, entry)
    return state


def after(state: State, entry: Entry) -> State:
    """Apply one entry."""
    moved = state.moved if isinstance(entry.fact, Rejected | Unchanged) else entry.seq
    state = replace(state, revision=entry.seq, moved=moved, head=entry.digest)
    match entry.fact:
        case Declared(declaration, digest) as declared:
            known = {**state.declarations, digest: declaration}
            return replace(state, declared=declared, declared_at=entry.seq, declarations=known)
        case Registered(version) as registered:
            versions = {**state.registered, version.version: registered}
            return replace(state, registered=versions)
        case Gated(version) as gated:
            return replace(state, gated={**state.gated, version: gated})
        case Promoted() as promoted:
            return replace(
                state,
                line=_line_after(state.line, promoted),
                promotions=(*state.promotions, entry.seq),
                champions=state.champions | {promoted.version},
            )
    return state


def _line_after(line: tuple[str, ...], promoted: Promoted) -> tuple[str, ...]:
    if promoted.how != "rollback":
        return (*line, promoted.version)
    # What was rolled back must not be what the next rollback returns to.
    earlier = line[:-1]
    if promoted.version not in earlier:
        return (*earlier, promoted.version)
    last = len(earlier) - 1 - earlier[::-1].index(promoted.version)
    return earlier[: last + 1]

"""Orders and trained candidates in, facts with their reasons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.registry.domain import gate
from services.registry.domain.declarations import breaking_changes, same_contract
from services.registry.domain.facts import (
    PRIOR,
    Declared,
    Evaluation,
    Fact,
    Failed,
    Promoted,
    Registered,
    Rejected,
    Requested,
    Unchanged,
    VersionRef,
)
from services.registry.domain.state import State
from services.registry.domain.versions import next_version

LARGEST_DECLARATION = 400_000


@dataclass(frozen=True, slots=True)
class Decided:
    """A fact to record, and why; `actor` None stands for the sender of the command."""

    fact: Fact
    reason: str
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a training run brought; None where it brought nothing.

    Attributes:
        rows: of its dataset.
        end: event time of the dataset's last row.
        baseline: what monitor compares the version's traffic with; a version may be without.

    """

    run_id: str
    declaration: str
    reason: str
    artifact: str | None
    algorithm: str | None
    rows: int | None
    end: datetime | None
    evaluation: Evaluation | None
    baseline: str | None = None


def rejected(reason: str) -> list[Decided]:
    """Carry out nothing."""
    return [Decided(Rejected(), reason)]


def moved_on(state: State, expected: int | None) -> str | None:
    """Say why a command that expects a revision comes too late; None when it does not.

    Entries that carry out nothing do not move a model on.
    """
    if expected is None or state.moved <= expected <= state.revision:
        return None
    return (
        f"revision {expected} expected, but the model is at revision {state.revision}: "
        "look at what has changed and send the command again"
    )


def unknown_model(model: str, known: Sequence[str]) -> list[Decided]:
    """Refuse what is meant for a model that was never declared."""
    return rejected(f"unknown model {model!r}; declared models: {', '.join(known) or 'none'}")


def declare(
    state: State, declaration: Mapping[str, Any], digest: str, size: int, reason: str
) -> list[Decided]:
    """Accept a first or changed declaration; the first makes its prior the champion.

    Args:
        state: of the model.
        declaration: as JSON with all defaults.
        digest: of the declaration.
        size: of its JSON in bytes.
        reason: what the sender gives.

    """
    if size > LARGEST_DECLARATION:
        return rejected(f"the declaration has {size:,} bytes; {LARGEST_DECLARATION:,} are allowed")
    fact = Declared(declaration, digest)
    if state.declared is None:
        born = Promoted(PRIOR, None, "declaration")
        return [
            Decided(fact, reason or "declared"),
            Decided(born, "born as version 0.0.0, its declared prior", "registry"),
        ]
    if digest == state.declared.digest:
        return [Decided(Unchanged(), f"declared so since revision {state.declared_at}")]
    breaking = breaking_changes(state.declared.declaration, declaration)
    if breaking:
        return rejected(f"breaking: {'; '.join(breaking)[:1800]}; declare a new model name instead")
    return [Decided(fact, reason or "declaration changed")]


def promote(state: State, version: str, force: bool, reason: str) -> list[Decided]:
    """Make a registered version the champion by command."""
    if version == state.champion:
        return rejected(f"{version} already is the champion")
    if version == PRIOR:
        return rejected("0.0.0 is the declared prior; roll back to it instead")
    if version not in state.registered:
        return _unknown_version(state, version)
    gated = state.gated.get(version)
    if not force and not (gated and gated.passed):
        why = gate.reason(gated) if gated else "it was never judged"
        return rejected(f"the gate has not passed {version} ({why[:1700]}); force overrules it")
    return [Decided(Promoted(version, state.champion, "command"), reason or "promoted by command")]


def roll_back(state: State, version: str | None, reason: str) -> list[Decided]:
    """Return to an earlier champion: the one before, or the one named."""
    if version is None:
        if len(state.line) < 2:
            return rejected(f"there is no champion before {state.champion}")
        version = state.line[-2]
    if version == state.champion:
        return rejected(f"{version} is the champion already")
    if version not in state.versions:
        return _unknown_version(state, version)
    if version not in state.champions:
        return rejected(f"{version} was never the champion; promote it instead")
    fact = Promoted(version, state.champion, "rollback")
    return [Decided(fact, reason or f"rolled back from {state.champion}")]


def train(reason: str) -> list[Decided]:
    """Ask for a training run."""
    return [Decided(Requested(), reason or "requested")]


def failed(run: Run) -> list[Decided]:
    """Note a run that brought no candidate."""
    return [Decided(Failed(run.run_id), run.reason, "training")]


def trained(state: State, run: Run) -> list[Decided]:
    """Give a candidate its version, judge it, and promote it if it passes."""
    declared, champion = state.declared, state.champion
    assert declared is not None
    assert champion is not None
    candidate = _registered(state, run)
    if candidate is None:
        missing = [
            name
            for name in ("artifact", "algorithm", "rows", "end", "evaluation")
            if getattr(run, name) is None
        ]
        reason = f"refused: run {run.run_id} brought no {', '.join(missing)}"
        return [Decided(Rejected(), f"{reason}, and missing evidence fails", "registry")]
    judgement = gate.judged(
        candidate, champion, gate.Rules.of(declared.digest, declared.declaration)
    )
    told = gate.reason(judgement)
    decided = [
        Decided(candidate, run.reason or f"run {run.run_id}", "training"),
        Decided(judgement, told, "registry"),
    ]
    if judgement.passed:
        decided.append(Decided(Promoted(judgement.version, champion, "gate"), told, "registry"))
    return decided


def _registered(state: State, run: Run) -> Registered | None:
    evaluation = run.evaluation
    if (
        evaluation is None
        or run.artifact is None
        or run.algorithm is None
        or run.rows is None
        or run.end is None
    ):
        return None
    version = VersionRef(
        version=_version(state, run.declaration),
        algorithm=run.algorithm,
        artifact=run.artifact,
        # Its dataset includes the pinned rows, which it has not seen.
        trained_at=min(run.end, evaluation.start),
        loss=evaluation.candidate_loss,
        loss_sd=evaluation.loss_sd,
        baseline=run.baseline,
    )
    return Registered(version, run.run_id, run.declaration, run.rows, evaluation)


def _version(state: State, digest: str) -> str:
    """Give a candidate its number: minor when its contract is not that of the version before."""
    assert state.declared is not None
    new = state.declarations.get(digest, state.declared.declaration)
    before = [entry.declaration for entry in state.registered.values()]
    oldest = next(iter(state.declarations))
    old = state.declarations.get(before[-1] if before else oldest, state.declared.declaration)
    return next_version(state.registered, same_contract=same_contract(old, new))


def _unknown_version(state: State, version: str) -> list[Decided]:
    known = ", ".join(state.versions[-20:])
    return rejected(f"unknown version {version}; versions: {known}")

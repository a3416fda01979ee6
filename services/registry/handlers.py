"""registry.commands, model.trained -> registry.recorded -> model.declared, release.changed, ...

The log is the outbox: a command leads to entries and to nothing else, and what follows from an
entry is told when the entry is heard. So a crash in between loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, TypeAdapter

from contracts import Event
from contracts import registry as wire
from contracts.registry import ModelDeclared, RegistryCommand, RegistryRecorded, ReleaseChanged
from contracts.training import ModelTrained, TrainingRequested
from services.registry.domain import decisions, facts, published
from services.registry.domain.chain import digest
from services.registry.domain.decisions import Decided, Run
from services.registry.domain.ledger import Book, Ledger
from services.registry.domain.published import Published, plan_of
from services.registry.domain.state import Entry, State, after
from services.registry.ports import DataTopics, TopicsRefused
from shared.errors import Transient

FACT: TypeAdapter[facts.Fact] = TypeAdapter(Annotated[facts.Fact, Field(discriminator="kind")])
WIRE_FACT: TypeAdapter[wire.Fact] = TypeAdapter(Annotated[wire.Fact, Field(discriminator="kind")])
EVALUATION = TypeAdapter(facts.Evaluation)
PLAN = TypeAdapter(published.Plan)
PAST = TypeAdapter(tuple[published.PastPlan, ...])
WIRE_PAST = TypeAdapter(tuple[wire.PastPlan, ...])


async def carry_out(
    command: RegistryCommand, *, ledger: Ledger, topics: DataTopics
) -> Sequence[Event]:
    """Answer a command with entries."""
    book = _sound(ledger).book(command.model)
    if book.knows(command.event_id):
        return _unread(book, command)
    decided = _decided(command, book.head, ledger.declared())
    declared = any(isinstance(decision.fact, facts.Declared) for decision in decided)
    if declared and isinstance(command.order, wire.Declare):
        try:
            await topics.create(command.model, command.order.declaration.spec.label.waits)
        except TopicsRefused as error:
            decided = decisions.rejected(str(error))
    return _record(book, command, command.actor, decided)


async def judge(trained: ModelTrained, *, ledger: Ledger) -> Sequence[Event]:
    """Give what a run brought its version, judge it, and promote it if it passes."""
    book = _sound(ledger).book(trained.model)
    if book.knows(trained.event_id):
        return _unread(book, trained)
    head = book.head
    if head.declared is None:
        decided = decisions.unknown_model(trained.model, ledger.declared())
    elif trained.status == "failed":
        decided = decisions.failed(_run(trained))
    else:
        decided = decisions.trained(head, _run(trained))
    return _record(book, trained, "training", decided)


async def tell_what_follows(
    recorded: RegistryRecorded, *, ledger: Ledger, told: Published, lead_ms: int
) -> Sequence[Event]:
    """Tell the other services what an entry means for them, once and in the log's order."""
    book, model, seq = _sound(ledger).book(recorded.model), recorded.model, recorded.seq
    if seq > book.state.revision:
        raise Transient(f"entry {seq} of {model} has not been read back yet")
    entry = book.entries[seq - 1]
    if entry.event_id != recorded.event_id:
        return []
    match recorded.fact:
        case wire.Declared() as declared if seq > told.declared.get(model, 0):
            return [_declared(recorded, declared)]
        case wire.Promoted() if seq > told.released.get(model, 0):
            earlier = max((at for at in book.state.promotions if at < seq), default=0)
            if earlier > told.released.get(model, 0):
                raise Transient(f"the plan of entry {earlier} of {model} has not been read back")
            history = told.plans.get(model, ())
            return [_released(recorded, plan_of(entry, book.state), history, lead_ms)]
        case wire.Requested():
            return [_requested(recorded)]
    return []


# -- what is read back --------------------------------------------------------------------------


def read_entry(recorded: RegistryRecorded, _: int, *, ledger: Ledger) -> None:
    """Take in what stands next in registry.recorded."""
    ledger.confirm(recorded.model, entry_of(recorded))


def read_declaration(declared: ModelDeclared, _: int, *, told: Published) -> None:
    """Note what stands in model.declared."""
    told.add_declaration(declared.model, declared.revision)


def read_release(release: ReleaseChanged, append_ms: int, *, told: Published) -> None:
    """Note what stands in release.changed, and from when on it is in force."""
    told.add_release(
        release.model,
        release.revision,
        PAST.validate_json(WIRE_PAST.dump_json(release.history)),
        PLAN.validate_json(release.plan.model_dump_json()),
        append_ms + release.lead_ms,
    )


def entry_of(recorded: RegistryRecorded) -> Entry:
    """Translate an entry that was read from the wire.

    The document holds what stood on the wire and no defaults of newer versions, so its digest
    survives new fields.
    """
    document = recorded.model_dump(mode="json", exclude_unset=True)
    return Entry(
        seq=recorded.seq,
        event_id=recorded.event_id,
        cause=recorded.cause,
        at=recorded.at,
        previous=recorded.previous,
        digest=digest(document),
        fact=FACT.validate_json(recorded.fact.model_dump_json()),
        document=document,
    )


# -- translation --------------------------------------------------------------------------------


def _sound(ledger: Ledger) -> Ledger:
    if ledger.broken:
        raise Transient(ledger.broken)
    return ledger


def _decided(command: RegistryCommand, state: State, known: Sequence[str]) -> list[Decided]:
    late = decisions.moved_on(state, command.expected_revision)
    if late:
        return decisions.rejected(late)
    order, reason = command.order, command.reason
    if isinstance(order, wire.Declare):
        declaration = order.declaration
        if declaration.name != command.model:
            return decisions.rejected(
                f"the command is for {command.model}, but the declaration is of {declaration.name}"
            )
        text = declaration.model_dump_json()
        return decisions.declare(state, json.loads(text), declaration.digest(), len(text), reason)
    if state.declared is None:
        return decisions.unknown_model(command.model, known)
    match order:
        case wire.Promote():
            return decisions.promote(state, order.version, order.force, reason)
        case wire.RollBack():
            return decisions.roll_back(state, order.version, reason)
        case wire.Train():
            return decisions.train(reason)


def _run(trained: ModelTrained) -> Run:
    dataset, evaluation = trained.dataset, trained.evaluation
    return Run(
        run_id=trained.run_id,
        declaration=trained.declaration,
        reason=trained.reason,
        artifact=trained.artifact,
        algorithm=trained.algorithm,
        rows=dataset.rows if dataset else None,
        end=dataset.end if dataset else None,
        evaluation=EVALUATION.validate_json(evaluation.model_dump_json()) if evaluation else None,
        baseline=trained.baseline,
    )


def _record(book: Book, cause: Event, actor: str, decided: Sequence[Decided]) -> list[Event]:
    """Chain the decisions to the log; all or none of them become pending."""
    state, told, entries = book.head, list[Event](), list[Entry]()
    for number, decision in enumerate(decided):
        built = RegistryRecorded.caused_by(
            cause,
            distinct=f"{cause.model}:{number}",
            model=cause.model,
            at=cause.at,
            seq=state.revision + 1,
            actor=decision.actor or actor,
            reason=decision.reason[:2000],
            previous=state.head,
            fact=WIRE_FACT.validate_json(FACT.dump_json(decision.fact)),
        )
        # What is hashed must be what every reader sees.
        recorded = RegistryRecorded.model_validate_json(built.model_dump_json())
        entry = entry_of(recorded)
        state = after(state, entry)
        entries.append(entry)
        told.append(recorded)
    book.pending += entries
    return told


def _unread(book: Book, cause: Event) -> list[Event]:
    """Repeat the entries that may not have reached the log."""
    return [
        RegistryRecorded.model_validate_json(json.dumps(entry.document))
        for entry in book.pending
        if entry.cause == cause.event_id
    ]


def _requested(recorded: RegistryRecorded) -> TrainingRequested:
    return TrainingRequested.caused_by(
        recorded,
        model=recorded.model,
        at=recorded.at,
        actor=recorded.actor,
        reason=recorded.reason,
    )


def _declared(recorded: RegistryRecorded, declared: wire.Declared) -> ModelDeclared:
    return ModelDeclared.caused_by(
        recorded,
        model=recorded.model,
        at=recorded.at,
        revision=recorded.seq,
        digest=declared.digest,
        declaration=declared.declaration,
    )


def _released(
    recorded: RegistryRecorded,
    plan: published.Plan,
    history: tuple[published.PastPlan, ...],
    lead_ms: int,
) -> ReleaseChanged:
    return ReleaseChanged.caused_by(
        recorded,
        model=recorded.model,
        at=recorded.at,
        revision=recorded.seq,
        plan=wire.Plan.model_validate_json(PLAN.dump_json(plan)),
        lead_ms=lead_ms,
        history=WIRE_PAST.validate_json(PAST.dump_json(history)),
        reason=recorded.reason,
    )

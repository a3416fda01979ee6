"""events.validated, model.declared, release.changed -> predictions."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from contracts.base import NAMESPACE
from contracts.data import PREDICTIONS
from contracts.declaration import Declaration
from contracts.registry import ModelDeclared, ReleaseChanged
from contracts.registry import Plan as ReleasePlan
from services.serving.domain.answers import Decision, Rule, Scores, trial_rows
from services.serving.domain.timeline import FROM_THE_BEGINNING, Plan, Timeline
from services.serving.ports import Library, Rows, Unusable
from shared.errors import Transient
from shared.kafka import Batch, Message, Names, Parked, Record, Told
from shared.models import Model, Prior
from shared.telemetry import Telemetry

REPLACED = ("ce_", "content-type", "traceparent")  # the wrapper carries the trace on


class Incoming(msgspec.Struct):
    """A validated event; its parts go on as they came, byte for byte."""

    id: msgspec.Raw
    time: msgspec.Raw
    features: msgspec.Raw


class Prediction(msgspec.Struct):
    """What users read; field names and order are the contract's."""

    id: msgspec.Raw
    time: msgspec.Raw
    model: str
    version: str
    score: float | list[float]
    decision: Decision
    features: msgspec.Raw
    plan: str
    role: Literal["stable", "candidate"] = "stable"
    shadow: None = None


EVENTS = msgspec.json.Decoder(Incoming)
TEXT = msgspec.json.Decoder(str)
FEATURES = msgspec.json.Decoder(dict[str, Any])
ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Release:
    """What decides one model: its declaration and the plans of its traffic."""

    declaration: Declaration
    timeline: Timeline
    rule: Rule
    trial: Rows

    @classmethod
    def of(cls, declaration: Declaration, timeline: Timeline) -> Release:
        """Derive what follows from the declaration."""
        spec = declaration.spec
        features = [{"name": name, **vars(feature)} for name, feature in spec.features.items()]
        rule = Rule(spec.task, declaration.threshold, spec.classes or ())
        return cls(declaration, timeline, rule, trial_rows(features))


class Releases:
    """The release of every model, as the control plane has told it so far."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._declared: dict[str, ModelDeclared] = {}
        self._timelines: dict[str, tuple[int, Timeline]] = {}
        self._releases: dict[str, Release] = {}

    def get(self, model: str) -> Release | None:
        """Name what decides this model; None until its declaration and a plan are known."""
        return self._releases.get(model)

    def timelines(self) -> dict[str, Timeline]:
        """List the plans of every model."""
        return {model: timeline for model, (_, timeline) in self._timelines.items()}

    def declare(self, event: ModelDeclared, _: int) -> None:
        """Take over a declaration; an older revision changes nothing."""
        known = self._declared.get(event.model)
        if known is None or known.revision <= event.revision:
            self._declared[event.model] = event
            self._combine(event.model)

    def change(self, event: ReleaseChanged, append_ms: int) -> None:
        """Take over a plan; an older revision changes nothing."""
        revision, known = self._timelines.get(event.model, (0, None))
        if event.revision < revision:
            return
        dated = [
            (
                past.effective.timestamp() * 1000 if past.effective else FROM_THE_BEGINNING,
                _plan(past.plan),
            )
            for past in event.history
        ]
        dated.append((append_ms + event.lead_ms, _plan(event.plan)))
        self._timelines[event.model] = (event.revision, Timeline.of(dated, known))
        self._combine(event.model)

    def _combine(self, model: str) -> None:
        if model in self._declared and model in self._timelines:
            release = Release.of(self._declared[model].declaration, self._timelines[model][1])
            self._releases[model] = release
            if artifact := release.timeline.plans[-1].artifact:
                self.library.prepare(artifact, release.trial)


@dataclass(frozen=True, slots=True)
class Row:
    """An event on its way to a prediction."""

    record: Record
    event: Incoming
    event_id: str
    time: str
    features: dict[str, Any]


async def predict(
    batch: Batch,
    *,
    releases: Releases,
    names: Names,
    telemetry: Telemetry,
    offload_rows: int,
) -> Told:
    """Answer a batch of one model's events; without its first plan, wait for it."""
    told = Told()
    rows = _rows(batch, told)
    while (release := releases.get(batch.model)) is not None:
        serving = Answering(release, names.data(PREDICTIONS, batch.model), offload_rows)
        answered = await serving.answered(rows, releases.library)
        # A version that was withdrawn in the meantime must not decide.
        if releases.get(batch.model) is release:
            told.add(answered)
            telemetry.count("predictions", batch.model, len(answered.messages))
            if answered.parked:
                telemetry.log.error("%s: %s", batch.model, answered.parked[0].reason)
            return told
    return Told(held=batch.starts())


class Answering:
    """Rows of one model to predictions, each by the plan in force when it was appended."""

    def __init__(self, release: Release, topic: str, offload_rows: int) -> None:
        self.release, self.topic, self.offload_rows = release, topic, offload_rows

    async def answered(self, rows: Sequence[Row], library: Library) -> Told:
        """Score group by group, one version each; tell in the order of the rows."""
        groups: dict[int, list[int]] = defaultdict(list)
        for position, row in enumerate(rows):
            groups[self.release.timeline.in_force(row.record.timestamp)].append(position)
        answers: dict[int, Message | Parked] = {}
        for index, positions in groups.items():
            plan, model = await self._opened(index, library)
            group = [rows[position] for position in positions]
            scores = await self._scored(model, group)
            answers |= zip(positions, self._told(plan, group, scores), strict=True)
        ordered = [answers[position] for position in range(len(rows))]
        return Told(
            [answer for answer in ordered if isinstance(answer, Message)],
            parked=[answer for answer in ordered if isinstance(answer, Parked)],
        )

    async def _opened(self, index: int, library: Library) -> tuple[Plan, Model]:
        """Open what the plan names; what cannot be used leaves the decision with the one before."""
        reason = ""
        for plan in self.release.timeline.choices(index):
            if plan.artifact is None:
                return plan, Prior(self.release.declaration.spec.prior or 0.0)
            try:
                return plan, await library.open(plan.artifact, self.release.trial)
            except Unusable as error:
                reason = str(error)
        raise Transient(f"no version of {self.release.declaration.name} can be used: {reason}")

    async def _scored(self, model: Model, group: Sequence[Row]) -> Scores:
        features = [row.features for row in group]
        if len(group) < self.offload_rows:
            return scored(model, features)
        return await asyncio.to_thread(scored, model, features)

    def _told(self, plan: Plan, group: Sequence[Row], scores: Scores) -> list[Message | Parked]:
        rule = self.release.rule
        usable = rule.usable(scores).tolist()
        decided = zip(group, scores.tolist(), rule.decisions(scores), usable, strict=True)
        return [
            self._message(plan, row, score, decision)
            if finite
            else Parked(row.record, "bug", f"version {plan.version} answers {score}, no number")
            for row, score, decision, finite in decided
        ]

    def _message(self, plan: Plan, row: Row, score: Any, decision: Decision) -> Message:
        model = self.release.declaration.name
        event = row.event
        prediction = Prediction(
            event.id, event.time, model, plan.version, score, decision, event.features, plan.plan_id
        )
        distinct = f"{row.event_id}:{plan.artifact or plan.version}"
        headers = (
            *((n, v or b"") for n, v in row.record.headers if not n.startswith(REPLACED)),
            ("ce_specversion", b"1.0"),
            ("ce_id", str(uuid.uuid5(NAMESPACE, distinct)).encode()),
            ("ce_source", b"driftwheel/serving"),
            ("ce_type", PREDICTIONS.name(model).encode()),
            ("ce_time", row.time.encode()),
            ("content-type", b"application/json"),
        )
        key = row.record.key or row.event_id.encode()
        return Message(self.topic, key, ENCODER.encode(prediction), headers, cause=row.record)


def scored(model: Model, features: Rows) -> Scores:
    """Score rows; an overflow is no warning here, for its result is looked at."""
    with np.errstate(all="ignore"):
        return model.score(features)


def _plan(plan: ReleasePlan) -> Plan:
    return Plan(plan.plan_id, plan.stable.version, plan.stable.artifact, plan.withdrawn)


def _rows(batch: Batch, told: Told) -> list[Row]:
    """Decode each record on its own; what cannot be read is parked alone."""
    rows = []
    for record in batch.records:
        try:
            event = EVENTS.decode(record.value or b"")
            text = TEXT.decode(event.id), TEXT.decode(event.time)
            rows.append(Row(record, event, *text, FEATURES.decode(event.features)))
        except ValueError as error:
            told.parked.append(Parked(record, "poison", f"not a validated event: {error}"))
    return rows

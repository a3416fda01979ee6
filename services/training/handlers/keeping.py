"""data outcomes -> the offline store."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec

from contracts.data import OUTCOMES
from contracts.declaration import Declaration
from services.training.handlers.knowledge import Models
from services.training.ports import Row, Store
from shared.kafka import Batch, Names, Parked, Position, Told

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
FEATURES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "category": str}
LABELS: dict[str, Any] = {"binary": bool, "regression": float, "multiclass": str}


class Decoders:
    """A decoder per model, made anew when its declaration changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Declaration, msgspec.json.Decoder[Any]]] = {}

    def of(self, declaration: Declaration) -> msgspec.json.Decoder[Any]:
        """Find or make the decoder of a model's outcomes."""
        known = self._known.get(declaration.name)
        if known is None or known[0] is not declaration:
            known = declaration, msgspec.json.Decoder(outcome_type(declaration))
            self._known[declaration.name] = known
        return known[1]


async def keep_outcomes(batch: Batch, *, models: Models, decoders: Decoders, store: Store) -> Told:
    """Take a batch into the store; it waits where its model is not declared yet."""
    declaration = models.declaration(batch.model)
    if declaration is None:
        return Told(held=_begin(batch))

    decoder, parked, rows = decoders.of(declaration), [], []
    for record in batch.records:
        try:
            outcome = decoder.decode(record.value or b"")
            rows.append(Row(outcome, record.partition, record.offset))
        except ValueError as error:
            parked.append(Parked(record, "poison", str(error)))

    through = {record.partition: record.offset for record in batch.records}
    await store.keep(declaration, batch.records[0].topic, rows, through)
    return Told(parked=parked)


async def go_on(
    positions: frozenset[Position], *, names: Names, store: Store
) -> dict[Position, int]:
    """Read on after the last outcome in the store: what was only buffered is read again."""
    pattern = re.compile(names.pattern(OUTCOMES))
    partitions: dict[str, tuple[str, frozenset[int]]] = {}
    for topic in {position.topic for position in positions}:
        match = pattern.fullmatch(topic)
        if match:
            numbers = frozenset(p.partition for p in positions if p.topic == topic)
            partitions[match[1]] = topic, numbers
    offsets = await store.reopen(partitions)
    return {Position(topic, partition): offset for (topic, partition), offset in offsets.items()}


def outcome_type(declaration: Declaration) -> Any:
    """Make the type of an outcome; a feature that was not yet declared then reads as None."""
    spec = declaration.spec
    features = msgspec.defstruct(
        "Features",
        [(name, FEATURES[feature.type] | None, None) for name, feature in spec.features.items()],
    )
    label = LABELS[spec.task]
    fields: list[Any] = [
        ("id", str),
        ("time", Moment),
        ("version", str),
        ("status", str),
        ("score", list[float] if spec.task == "multiclass" else float),
        ("features", features),
        ("decision", str | bool | None, None),
        ("label", label | None, None),
        ("label_time", Moment | None, None),
        ("loss", float | None, None),
    ]
    return msgspec.defstruct("Outcome", fields)


def _begin(batch: Batch) -> dict[Position, int]:
    """Find where each partition of the batch begins."""
    return {
        Position(record.topic, record.partition): record.offset
        for record in reversed(batch.records)
    }

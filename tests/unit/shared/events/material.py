"""Declarations, records and the contract as the oracle of both decoders."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import numpy as np

from contracts.data import event_type
from contracts.declaration import Declaration
from shared.events import EventReader, Events, fields_of, load

load()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
FEATURES = {
    "carrier": {"type": "category"},
    "origin": {"type": "category", "categories": ("EWR", "JFK", "Zürich")},
    "minute": {"type": "int", "min": 0.0, "max": 1439.0},
    "seats": {"type": "int"},
    "age": {"type": "float", "min": -70.5, "max": 70.5},
    "wind": {"type": "float", "nullable": True},
    "holiday": {"type": "bool"},
    "rain": {"type": "bool", "nullable": True},
    "tail": {"type": "category", "nullable": True},
}


def declared(features: dict = FEATURES) -> Declaration:
    return Declaration.model_validate(
        {
            "apiVersion": "driftwheel/v1",
            "kind": "Model",
            "metadata": {"name": "m"},
            "spec": {
                "task": "binary",
                "features": features,
                "label": {"name": "late", "horizon": "36h"},
                "prior": 0.5,
            },
        }
    )


DECLARATION = declared()
FIELDS = fields_of(DECLARATION)
CONTRACT = event_type(DECLARATION)


def reader(**options) -> EventReader:
    return EventReader(FIELDS, **options)


def features(chance: random.Random, **given) -> dict:
    return {
        "carrier": chance.choice(["UA", "AA", "B6", "Lufthansa Cityline"]),
        "origin": chance.choice(["EWR", "JFK"]),
        "minute": chance.randrange(1440),
        "seats": chance.choice([0, 149, -3, 2**53]),
        "age": chance.choice([round(chance.uniform(-70, 70), 2), chance.uniform(-70, 70), 7]),
        "wind": chance.choice([None, chance.gauss(0, 1e9), 1e-7, 0.0]),
        "holiday": chance.random() < 0.5,
        "rain": chance.choice([None, True, False]),
        "tail": chance.choice([None, f"N{chance.randrange(9)}"]),
    } | given


def event(chance: random.Random, **given) -> dict:
    moment = EPOCH + timedelta(microseconds=chance.randrange(2**51))
    text = chance.choice([moment.isoformat(), f"{moment:%Y-%m-%dT%H:%M:%SZ}"])
    return {
        "id": f"{chance.randrange(10**9)}/x",
        "time": text,
        "features": features(chance),
    } | given


def spelled(item: dict, compact: bool = True) -> bytes:
    return json.dumps(item, separators=(",", ":") if compact else None).encode()


def oracle(value: bytes | None) -> tuple | None:
    """Say what the contract says of a record; None if it must not be accepted."""
    if value is None:
        return None
    try:
        item = CONTRACT.model_validate_json(value)
    except ValueError:
        return None
    if item.time < EARLIEST or repeats(value):
        return None
    microseconds = (item.time - EPOCH) // timedelta(microseconds=1)
    return item.id, microseconds, tuple(getattr(item.features, field.name) for field in FIELDS)


def repeats(value: bytes) -> bool:
    counts = []
    json.loads(value, object_pairs_hook=lambda pairs: counts.append(len(pairs) - len(dict(pairs))))
    return any(counts)


def said(events: Events) -> list[tuple | None]:
    """Say what the columns say, in the form of the oracle."""
    rows = []
    ids = events.texts(events.ids)
    for row, accepted in enumerate(events.accepted):
        values = tuple(
            meaning(field, cell, events.vocabulary[column])
            for column, (field, cell) in enumerate(zip(FIELDS, events.matrix[row], strict=True))
        )
        rows.append((ids[row].decode(), int(events.time_us[row]), values) if accepted else None)
    return rows


def meaning(field, cell: np.float64, texts: list[str]):
    if np.isnan(cell):
        return None
    if field.kind == "category":
        return texts[int(cell)]
    return {"int": int, "float": float, "bool": bool}[field.kind](cell)


def check(values: list[bytes | None], *readers: EventReader) -> list[Events]:
    """Hold readers to the oracle: the same rows accepted, with the same content, type and bits."""
    expected = [oracle(value) for value in values]
    batches = [each.read(values) for each in readers]
    for events in batches:
        assert list(map(repr, said(events))) == list(map(repr, expected))
        check_spans(events, values)
    return batches


def check_spans(events: Events, values: list[bytes | None]) -> None:
    ids, times, parts = map(events.texts, (events.spelled_ids, events.times, events.features))
    for row in np.flatnonzero(events.accepted):
        item = json.loads(values[row])
        assert json.loads(b'"%b"' % ids[row]) == item["id"]
        assert times[row].decode() == item["time"]
        assert json.loads(parts[row]) == item["features"]
        assert parts[row] in values[row]

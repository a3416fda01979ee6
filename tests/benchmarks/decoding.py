"""Bytes of events to columns: our two decoders beside msgspec's floor and the contract itself."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel

from contracts.data import event_type
from contracts.declaration import Declaration
from shared.events import EventReader, fields_of, load

BATCH, BATCHES = 1000, 8
NUMBERS = {f"feature_number_{number:02d}": "float" for number in range(15)}
TEXTS = {"carrier": "category", "origin": "category", "tail": "category"}
SHAPES: dict[str, dict[str, Any]] = {
    "15 numbers": {},
    "15 numbers, 17 digits": {"digits": None},
    "15 numbers, a fifth null": {"null": 0.2},
    "15 numbers, a fifth missing": {"missing": 0.2},
    "15 numbers and 3 categories": {"texts": True},
}
Decode = Callable[[Sequence[bytes]], object]


def measure(rounds: int) -> list[dict[str, Any]]:
    """Measure CPU microseconds per event, in turns: each sample is the best batch of a round."""
    rows = []
    for name, shape in SHAPES.items():
        batches = [list(events(random.Random(seed), **shape)) for seed in range(BATCHES)]
        decoders = _decoders(batches[0], **shape)
        samples: dict[str, list[float]] = {title: [] for title in decoders}
        for decode in decoders.values():
            for batch in batches:
                decode(batch)
        for _ in range(rounds):
            for title, decode in decoders.items():
                samples[title].append(min(_cpu_us(decode, batch) for batch in batches))
        size = sum(map(len, batches[0])) // BATCH
        rows += [
            {"records": name, "bytes": size, "decoder": title, "cpu_us": taken}
            for title, taken in samples.items()
        ]
    return rows


def declaration(*, texts: bool = False, **_: Any) -> Declaration:
    """Declare what is measured; all but the first number may be null."""
    numbers = {
        name: {"type": kind, "min": -1e6, "max": 1e6, "nullable": number > 0}
        for number, (name, kind) in enumerate(NUMBERS.items())
    }
    features = numbers | ({name: {"type": kind} for name, kind in TEXTS.items()} if texts else {})
    return Declaration.model_validate(
        {
            "apiVersion": "driftwheel/v1",
            "kind": "Model",
            "metadata": {"name": "decoding"},
            "spec": {
                "task": "binary",
                "features": features,
                "label": {"name": "late", "horizon": "1h"},
                "prior": 0.5,
            },
        }
    )


def events(
    chance: random.Random,
    *,
    digits: int | None = 3,
    null: float = 0,
    missing: float = 0,
    texts: bool = False,
) -> Iterator[bytes]:
    """Write a batch of events as one producer would."""
    for _ in range(BATCH):
        features: dict[str, Any] = {}
        for number, name in enumerate(NUMBERS):
            value = chance.uniform(0, 1000)
            if number == 0 or chance.random() >= missing:
                spelled = value if digits is None else round(value, digits)
                features[name] = None if number and chance.random() < null else spelled
        if texts:
            features |= {
                "carrier": chance.choice(("UA", "AA", "B6", "DL")),
                "origin": chance.choice(("EWR", "JFK", "LGA")),
                "tail": f"N{chance.randrange(1000)}",
            }
        event = {
            "id": f"2013-06-13/UA/{chance.randrange(10**6)}",
            "time": "2013-06-13T14:45:00Z",
            "features": features,
        }
        yield json.dumps(event, separators=(",", ":")).encode()


def _decoders(batch: Sequence[bytes], **shape: Any) -> dict[str, Decode]:
    declared = declaration(**shape)
    fields = fields_of(declared)
    load()
    compiled, general = EventReader(fields), EventReader(fields, kernels=False)
    for reader in (compiled, general):
        for _ in range(2):  # the first reading shows the template
            if not reader.read(batch).accepted.all():
                raise ValueError("a decoder refuses what it is measured with")
    floor = msgspec.json.Decoder(_struct(texts=len(fields) > len(NUMBERS))).decode
    contract: type[BaseModel] = event_type(declared)
    return {
        "template kernel": compiled.read,
        "general decoder": general.read,
        "msgspec, objects only": lambda values: [floor(value) for value in values],
        "pydantic, objects only": lambda values: [
            contract.model_validate_json(value) for value in values
        ],
    }


def _struct(*, texts: bool) -> type[msgspec.Struct]:
    number = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)] | None
    fields: list[Any] = [(name, number, None) for name in NUMBERS]
    fields += [(name, str | None, None) for name in TEXTS] if texts else []
    features = msgspec.defstruct("Features", fields, forbid_unknown_fields=True)
    outer = [("id", str), ("time", str), ("features", features)]
    return msgspec.defstruct("Event", outer, forbid_unknown_fields=True)


def _cpu_us(decode: Decode, batch: Sequence[bytes]) -> float:
    begun = time.process_time()
    decode(batch)
    return (time.process_time() - begun) / len(batch) * 1e6

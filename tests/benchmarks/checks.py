"""What must have come out: looked at in the first round of every race."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from contracts import DataTopic
from contracts.data import EVENTS_QUARANTINED, EVENTS_VALIDATED, OUTCOMES, PREDICTIONS
from tests.benchmarks.rows import Rows
from tests.benchmarks.world import World


class Scored(msgspec.Struct):
    """As much of a prediction as is compared."""

    id: str
    score: float


def copied(topic: DataTopic, where: World, inputs: Sequence[Rows]) -> None:
    """Count: as many records as went in."""
    found = len(asyncio.run(where.records(topic)))
    expected = sum(map(len, inputs))
    assert found == expected, f"{expected} records became {found}"


def right(scores: Mapping[str, float], where: World, inputs: Sequence[Rows]) -> None:
    """Look at every prediction: as many as events, with the scores of the library."""
    decoder = msgspec.json.Decoder(Scored)
    records = asyncio.run(where.records(PREDICTIONS))
    found = {
        one.id: one.score for one in (decoder.decode(record.value or b"") for record in records)
    }
    expected = {
        (name := key.decode()): scores[name]
        for rows in inputs
        for own in rows.partitions
        for key, _, _ in own
    }
    assert len(records) == len(expected), f"{len(expected)} events, {len(records)} predictions"
    wrong = sum(found.get(name) != score for name, score in expected.items())
    assert not wrong, f"{wrong} of {len(expected)} scores are not those of Booster.predict"


def judged(sent: Sequence[bytes], sound: Sequence[bytes], where: World, _: Sequence[Rows]) -> None:
    """Look at every event: the sound ones went on, the others were set aside, byte for byte."""
    good = set(sound)
    for topic, expected in (
        (EVENTS_VALIDATED, [value for value in sent if value in good]),
        (EVENTS_QUARANTINED, [value for value in sent if value not in good]),
    ):
        found = [record.value or b"" for record in asyncio.run(where.records(topic))]
        assert sorted(found) == sorted(expected), f"{topic.kind}: {len(found)} of {len(expected)}"


def joined(awaited: int, where: World, _: Sequence[Rows]) -> None:
    """Look at every outcome: one per prediction."""
    records = asyncio.run(where.records(OUTCOMES))
    found = {msgspec.json.decode(record.value or b"")["id"] for record in records}
    assert len(records) == len(found) == awaited, f"{len(records)} outcomes of {awaited}"

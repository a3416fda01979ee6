"""Whichever way a record is read, and however batches are cut, the same follows."""

import json
import random

import numpy as np
import pytest

from contracts.data import EVENTS, LABELS
from contracts.quality import QUALITY_MEASURED
from services.validation.domain.columns import NO_TIME, Columns
from services.validation.domain.contents import NULL
from services.validation.handlers.reading import EventColumns, LabelColumns
from tests.service.validation.world import MODEL, declaration, event, label, started

VALUES = {
    "age": (None, 1, 2.5, -1, -0.0, 1e300, 0.1),
    "seats": (1, 600, 601, None, 5, -0),
    "carrier": ("UA", "VX", "ZZ"),
    "origin": (None, "EWR", 'é"x', "JFK", "", "x" * 201),
    "weekend": (True, False, 1),
}
ZONES = ("Z", "+00:00", ".5Z", ".123456+01:00", ".1234567Z")
KEYS = (None, b"a", b"b", b"c", b"d")
HEADERS = ((), (("mine", b"1"), ("none", None)), (("ce_id", b"own"),))


def some_event(draw):
    drawn = event(draw.randrange(80), some_time(draw))
    for name, values in VALUES.items():
        if draw.random() < 0.15:
            drawn["features"][name] = draw.choice(values)
    if draw.random() < 0.05:
        del drawn["features"][draw.choice(list(VALUES))]
    return drawn


def some_label(draw):
    return label(draw.randrange(80), draw.choice([True, False, True, "yes"]), some_time(draw))


def some_time(draw):
    if draw.random() < 0.5:
        return draw.choice(["2023-11-14T12:00:00Z", "2023-11-14T13:00:00+01:00"])
    if draw.random() < 0.05:
        return draw.choice(["2030-01-01T00:00:00Z", "0999-12-31T00:00:00Z", "1700000000", "noon"])
    hour, minute, second = (draw.randrange(n) for n in (22, 60, 60))
    return f"2023-11-14T{hour:02}:{minute:02}:{second:02}{draw.choice(ZONES)}"


def spelled(document, draw):
    if draw.random() < 0.2:
        document = dict(reversed(document.items()))
    indent = draw.choice([None, None, 1])
    value = json.dumps(document, ensure_ascii=draw.random() < 0.5, indent=indent).encode()
    if draw.random() < 0.05:
        twice = value.replace(b'"id"', b'"id": "first", "id"', 1)
        return draw.choice([None, b"", b"{", value[:-1], twice, value.replace(b"id", rb"\u0069d")])
    return value


async def lived(seed, *, labels, partitions=3, **settings):
    """Let a service live through one random stream."""
    draw, world = random.Random(seed), started(partitions, **settings)
    topic = world.kafka.names.data(LABELS if labels else EVENTS, MODEL)
    for partition in range(partitions):
        # A window without any time before it depends on where the first batch ends.
        first = label(partition + 100) if labels else event(partition + 100)
        world.kafka.append(topic, json.dumps(first).encode(), partition=partition)
    for _ in range(300):
        value = spelled(some_label(draw) if labels else some_event(draw), draw)
        world.kafka.append(topic, value, key=draw.choice(KEYS), headers=draw.choice(HEADERS))
    await world.kafka.settle()
    return world


def said(world):
    records = (*world.validated, *world.labels, *world.quarantined)
    return [(r.topic, r.partition, r.key, r.value, r.headers) for r in records]


def remembered(world):
    """Read the memory; counts are compared as JSON, since the order of their names says nothing."""
    return {
        key: json.loads(value) if b":book:" in key or b":window:" in key else value
        for key, value in world.memory.values.items()
    }


def blind(read):
    """Let a reader accept nothing, so that everything is judged one by one."""

    def unread(self, values):
        columns, number = read(self, values), len(values)
        return Columns(
            columns.names,
            np.zeros(number, dtype=np.bool_),
            [b""] * number,
            [b""] * number,
            np.full(number, NO_TIME),
            np.full_like(columns.cells, NULL),
        )

    return unread


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("seed", range(4))
async def test_columns_and_the_judge_alone_lead_to_the_same(monkeypatch, seed, labels):
    fast = await lived(seed, labels=labels)
    for reader in (EventColumns, LabelColumns):
        monkeypatch.setattr(reader, "read", blind(reader.read))
    slow = await lived(seed, labels=labels)
    assert said(fast) == said(slow)
    assert remembered(fast) == remembered(slow)
    assert fast.kafka.events(QUALITY_MEASURED) == slow.kafka.events(QUALITY_MEASURED)
    assert len(fast.labels if labels else fast.validated) > 40
    assert len(fast.quarantined) > 40


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("size", [1, 7, 64])
async def test_batches_may_be_cut_anywhere(size, labels):
    whole = await lived(9, labels=labels, partitions=1)
    parts = await lived(9, labels=labels, partitions=1, max_records=size)
    assert remembered(parts) == remembered(whole)


@pytest.mark.parametrize("labels", [False, True])
def test_readers_take_what_is_usual(labels):
    reader = (LabelColumns if labels else EventColumns)(declaration())
    usual = [label(n) if labels else event(n, age=None) for n in range(20)]
    columns = reader.read([json.dumps(one).encode() for one in usual])
    assert columns.sound.all()
    assert columns.ids == [b"e%d" % n for n in range(20)]

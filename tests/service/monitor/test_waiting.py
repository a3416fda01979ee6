"""A baseline that is not there: its model waits, all others go on, and nothing is lost."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest

from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED
from contracts.data import OUTCOMES
from contracts.performance import PERFORMANCE_MEASURED, PREDICTIONS_COUNTED, WINDOW_COUNTED
from contracts.registry import RELEASE_CHANGED
from services.monitor.domain.labels import WAITING
from shared.artifacts import Artifacts
from shared.telemetry import GAUGES
from tests.service.monitor.baselines import DIGEST, OTHER, Shelf, baseline
from tests.service.monitor.test_counting import COUNT
from tests.service.monitor.test_judging import WINDOWS, everything, fill, quality, settled
from tests.service.monitor.world import World, declaration, released

BASELINES = {"m": DIGEST, "other": OTHER}
LIFE = {"days": 14, "flipped": range(5, 14), "nulls": range(8, 11)}
PROMISE = {"false_alarms": "1 per 100 windows"}


def two_models(shelf):
    """Both live the same fortnight."""
    world = World(partitions=2, spec=declaration(drift=PROMISE), files=shelf)
    never_block(world)
    world.declare(declaration("other", drift=PROMISE))
    for model, digest in BASELINES.items():
        world.kafka.tell(RELEASE_CHANGED, released("0.1.0", digest, revision=2, model=model))
        each = {"predict": partial(world.predict, model=model)}
        fill(SimpleNamespace(**each, tell=partial(world.tell, model=model)), **LIFE)
    return world


class Blocked(BaseException):
    """A group waits for the world, and with it all models."""


async def blocked(_):
    raise Blocked


def never_block(world):
    for consumer in world.consumers.values():
        consumer.rest = blocked


def of(world, model):
    """All that was told of a model, with its outcomes."""
    found = everything(world) | {
        PERFORMANCE_MEASURED.name: {
            event.event_id: event for event in world.kafka.events(PERFORMANCE_MEASURED)
        }
    }
    told = {
        topic: {event_id: one for event_id, one in events.items() if one.model == model}
        for topic, events in found.items()
    }
    # A restart may publish the same bytes again.
    return told | {"outcomes": set(world.kafka.values(world.topic(OUTCOMES, model)))}


def awaited(model):
    return GAUGES["baselines_awaited"].labels("monitor", model)._value.get()


@pytest.fixture
async def whole():
    world = two_models(Shelf(*BASELINES.values()))
    await settled(world)
    return world


async def test_other_models_go_on_and_nothing_is_lost_or_judged_wrongly(whole, caplog):
    shelf = Shelf(OTHER)
    world = two_models(shelf)
    await settled(world)
    assert of(world, "other") == of(whole, "other")
    assert not any(of(world, "m").values())
    said = world.watches.unready()
    assert "m 0.1.0" in said
    assert f"artifacts/{DIGEST}" in said
    assert "mount the artifact store, or restore the file" in said
    assert [r.getMessage() for r in caplog.records] == [f"{said}; other models go on"]
    assert (awaited("m"), awaited("other")) == (1, 0)

    await world.restart(rewind=lambda offset: max(0, offset - 5))
    never_block(world)
    await settled(world)
    assert world.watches.unready() == said
    shelf.trees |= Shelf(DIGEST).trees
    await world.sweep.once()
    assert (world.watches.unready(), awaited("m")) == (None, 0)
    await settled(world)
    assert of(world, "m") == of(whole, "m")
    assert of(world, "other") == of(whole, "other")
    assert len(of(world, "m")["drift.detected.v1"]) >= 3


async def test_a_file_that_cannot_be_read_is_waited_for_too():
    shelf, get = Shelf(*BASELINES.values()), Shelf.get
    world = two_models(shelf)

    def refused(tree):
        if tree == DIGEST:
            raise PermissionError(13, "Permission denied", f"artifacts/{tree}")
        return get(shelf, tree)

    shelf.get = refused
    await settled(world)
    assert of(world, "other")["outcomes"]
    assert not any(of(world, "m").values())
    assert "Permission denied" in world.watches.unready()


async def test_an_empty_file_in_its_place_ends_the_wait(tmp_path):
    files = Artifacts(tmp_path)
    tree = files.put({"baseline.json": baseline().to_bytes()})
    (lost,) = (path for path in tmp_path.rglob("*/*") if path.name != tree)
    lost.unlink()
    world = World(partitions=2, files=files)
    never_block(world)
    world.kafka.tell(RELEASE_CHANGED, released("0.1.0", tree, revision=2))
    fill(world, 3)
    await settled(world)
    assert str(lost) in world.watches.unready()
    assert not world.kafka.events(PREDICTIONS_COUNTED)
    lost.touch()
    await settled(world)
    assert world.watches.unready() is None
    counted = world.kafka.events(PREDICTIONS_COUNTED)
    assert {one.baseline for event in counted for one in event.versions} == {None}


async def test_predictions_that_are_counted_are_joined_later(whole):
    """The file is lost between the two: what is not joined is not claimed either."""
    shelf = Shelf(*BASELINES.values())
    world = two_models(shelf)
    await world.assign()
    attached = world.kafka._consumers
    world.kafka._consumers = [one for one in attached if one[0].group == COUNT]
    await world.kafka.settle()
    world.kafka._consumers = attached
    await world.restart()
    never_block(world)
    del shelf.trees[DIGEST]
    await settled(world)
    assert of(world, "other")["outcomes"] == of(whole, "other")["outcomes"]
    assert not of(world, "m")["outcomes"]
    joined = {model for (model, *_), id_ in world.store.ids.items() if id_.prediction != WAITING}
    assert joined == {"other"}

    shelf.trees |= Shelf(DIGEST).trees
    await settled(world)
    assert of(world, "m") == of(whole, "m")


def hear(world, whole, chosen):
    """Let the parts of windows be heard that another monitor has counted."""
    for topic in (PREDICTIONS_COUNTED, WINDOW_COUNTED):
        for event in whole.kafka.events(topic):
            if event.model == "m" and chosen(event.window.start):
                world.kafka.tell(topic, event)


async def test_windows_that_cannot_be_judged_yet_wait_in_the_ledger(whole):
    shelf = Shelf()
    world = World(partitions=2, spec=declaration(drift=PROMISE), files=shelf)
    never_block(world)
    world.kafka.tell(RELEASE_CHANGED, released("0.1.0", DIGEST, revision=2))
    last = max(event.window.start for event in whole.kafka.events(WINDOW_COUNTED))
    hear(world, whole, lambda start: start < last)
    for day in range(14):
        quality(world, day, 400, 150 if 4 <= day < 7 else 0)
    await settled(world)
    await world.kafka.redeliver(world.consumers[WINDOWS])
    assert not any(of(world, "m").values())
    assert f"artifacts/{DIGEST}" in world.watches.unready()

    shelf.trees = Shelf(DIGEST).trees
    hear(world, whole, lambda start: start >= last)
    quality(world, 14, 400, 0)
    await settled(world)
    expected, found = of(whole, "m"), of(world, "m")
    intake = [
        found[topic].pop(event_id).detector
        for topic in (ALERT_RAISED.name, ALERT_RESOLVED.name)
        for event_id in found[topic].keys() - expected[topic].keys()
    ]
    assert intake == ["intake", "intake"]
    assert found | {"outcomes": set()} == expected | {"outcomes": set()}

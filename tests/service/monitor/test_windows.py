"""Windows of outcomes: parts of partitions, put together and measured."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.performance import PERFORMANCE_MEASURED, WINDOW_COUNTED
from services.monitor.domain.watermarks import Heard
from services.monitor.handlers.payloads import microseconds
from tests.service.monitor.world import DAY0, MemoryLog, World


def fill(world, days, share, score=0.25, per_day=40, version="0.0.0", start=0):
    """Make days of predictions, of which `share` of 20 come true, an hour later."""
    for day in range(start, start + days):
        for n in range(per_day):
            event_id = f"{day}-{n}"
            hours = 24 * day + 23 * n / per_day
            carrier = "VX" if n % 4 == 0 else "UA"
            world.predict(event_id, hours, score=score, version=version, carrier=carrier)
            world.tell(event_id, hours + 1, n % 20 < share)


async def told(world, topic):
    for _ in range(4):
        await world.settle(3)
        await world.sweep.once()
    await world.settle()
    return world.kafka.events(topic)


async def test_a_window_is_measured_when_every_partition_has_passed_it():
    world = World(partitions=3)
    fill(world, 3, share=5)
    measured = await told(world, PERFORMANCE_MEASURED)
    assert [m.window.start for m in measured] == [DAY0, DAY0 + timedelta(days=1)]
    first = measured[0]
    assert (first.n, first.labelled, first.metric, first.version) == (40, 40, "log_loss", "0.0.0")
    assert first.observed == pytest.approx(0.25)
    assert first.predicted == pytest.approx(0.25)
    assert first.loss == pytest.approx(0.5623351)
    # Decided false below 1 / (1 + 3); .25 is decided true: 3 of 4 are false positives.
    assert first.cost == pytest.approx(0.75)
    assert {s.value: s.labelled for s in first.slices} == {"UA": 30, "VX": 10}
    assert first.at == DAY0 + timedelta(days=1, hours=4, minutes=30)
    counted = world.kafka.events(WINDOW_COUNTED)
    of_first = {c.partition: c for c in counted if c.window.start == DAY0}
    assert set(of_first) == {0, 1, 2}
    assert sum(c.tallies[0].total.n for c in of_first.values() if c.tallies) == 40


async def test_empty_partitions_hold_up_nothing():
    world = World(partitions=4)
    for day in range(3):
        for n in range(10):
            world.predict(f"{day}-{n}", 24 * day + 2 * n, key=b"one entity")
    measured = await told(world, PERFORMANCE_MEASURED)
    assert [(m.n, m.labelled, m.loss) for m in measured] == [(10, 0, None)] * 2
    empty = [c for c in world.kafka.events(WINDOW_COUNTED) if not c.tallies]
    assert {c.through for c in empty} == {-1}


async def test_an_idle_partition_is_swept_once_the_others_are_past_it():
    world = World(partitions=2)
    world.predict("a", 3, key=b"0")
    for hours in range(60):
        world.predict(f"b{hours}", hours, key=b"1")
    world.now += timedelta(seconds=1)
    await world.settle()
    world.now += timedelta(seconds=60)
    world.predict("b", 70, key=b"1")
    measured = await told(world, PERFORMANCE_MEASURED)
    assert [m.n for m in measured] == [25, 24]


async def test_a_window_before_a_gap_is_told_as_soon_as_the_gap_shows():
    world = World()
    for hours in range(30):
        world.predict(f"a{hours}", hours)
    world.predict("after the gap", 24 * 9)
    measured = await told(world, PERFORMANCE_MEASURED)
    assert [m.n for m in measured] == [24, 6]
    assert len(world.outcomes()) == 30


async def test_an_end_of_before_closes_no_window():
    """A broker that comes back may not know yet all that it holds."""
    world = World()
    fill(world, 2, share=5)
    await world.settle(3)
    await world.restart()
    log = next(part for part in world.parts if isinstance(part, MemoryLog))
    log.ends = (await world.store.places("m", 0)).predictions
    assert 0 < log.ends < 80
    nine = microseconds(DAY0 + timedelta(days=9))
    await world.store.advance("m", {0: Heard(nine, world.now.timestamp())}, nine)
    await world.sweep.once()
    log.ends = None
    measured = await told(world, PERFORMANCE_MEASURED)
    assert [m.n for m in measured] == [40, 40]


async def test_a_join_that_comes_back_while_the_sweep_looks_loses_no_window():
    """After a restart the sweep may begin before the join knows where its cursor stands."""
    world = World()
    fill(world, 2, share=5)
    world.now += timedelta(days=9)
    await world.restart()
    nine = microseconds(DAY0 + timedelta(days=9))
    await world.store.advance("m", {0: Heard(nine, world.now.timestamp())}, nine)
    log = next(part for part in world.parts if isinstance(part, MemoryLog))
    bounds = log.bounds

    async def meanwhile(positions):
        log.bounds = bounds
        await world.kafka.settle()
        return await bounds(positions)

    log.bounds = meanwhile
    await world.sweep.once()
    measured = await told(world, PERFORMANCE_MEASURED)
    assert [m.n for m in measured][:2] == [40, 40]


async def test_restarts_change_no_window():
    clean, broken = World(partitions=2), World(partitions=2)
    for day in range(4):
        for world in (clean, broken):
            fill(world, 1, share=7, start=day)
        await broken.settle(3)
        await broken.restart(rewind=lambda offset: max(0, offset - 17))
    expected = await told(clean, PERFORMANCE_MEASURED)
    found = await told(broken, PERFORMANCE_MEASURED)
    assert {m.event_id: m for m in found} == {m.event_id: m for m in expected}
    assert len(expected) == 3


async def test_a_lost_store_is_counted_again_from_whole_windows_on():
    world = World(partitions=2)
    fill(world, 3, share=7)
    first = await told(world, PERFORMANCE_MEASURED)
    world.store.flush()
    fill(world, 3, share=7, start=3)
    again = await told(world, PERFORMANCE_MEASURED)
    by_id = {m.event_id: m for m in again}
    assert [m.window.start for m in by_id.values()] == [
        DAY0 + timedelta(days=day) for day in range(5)
    ]
    assert all(by_id[m.event_id] == m for m in first)
    assert all(m.n == 40 and m.labelled == 40 for m in again)


async def test_predictions_later_than_the_lateness_are_joined_but_not_counted():
    world = World()
    fill(world, 2, share=5)
    world.predict("late", 1)
    fill(world, 1, share=5, start=2)
    measured = await told(world, PERFORMANCE_MEASURED)
    assert [m.n for m in measured] == [40, 40]
    assert world.outcomes("late")

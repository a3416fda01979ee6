"""The head group: the same log gives the same windows, however it is read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.performance import PREDICTIONS_COUNTED
from contracts.registry import RELEASE_CHANGED
from services.monitor.domain import copies
from services.monitor.domain.merging import Merging
from services.monitor.handlers import counting, watching
from services.monitor.handlers.heads import heard
from services.monitor.handlers.payloads import microseconds
from tests.service.monitor.baselines import DIGEST, OTHER, Shelf
from tests.service.monitor.store import MemoryStore
from tests.service.monitor.world import DAY0, World, released

COUNT = "monitor-count"


def fill(world, days=3, per_day=40, start=0, version="0.1.0"):
    """Make days of predictions, one in 13 of them out of order by hours."""
    for day in range(start, start + days):
        for n in range(per_day):
            hours = 24 * day + 24 * n / per_day
            early = 5 if n % 13 == 12 and hours > 5 else 0
            carrier = ("UA", "VX", "B6")[n % 3]
            features = {"carrier": carrier, "plan": None if n % 7 == 0 else n}
            world.predict(f"{version}-{day}-{n}", hours - early, version=version, features=features)


def watched(partitions=1, digest=DIGEST, **more):
    world = World(partitions=partitions, files=Shelf(DIGEST), **more)
    world.kafka.tell(RELEASE_CHANGED, released("0.1.0", digest, revision=2))
    return world


async def told(world, rounds=3):
    for _ in range(rounds):
        await world.settle(6)
        await world.sweep.once()
    return world.kafka.events(PREDICTIONS_COUNTED)


def merged(events):
    """Put the parts together as the owner of the model does: window -> contents."""
    latest = {}
    for event in events:
        where = (event.window.start, event.partition)
        if where not in latest or event.through > latest[where].through:
            latest[where] = event
    merging = Merging()
    for event in latest.values():
        span = (microseconds(event.window.start), microseconds(event.window.end))
        merging.hear(*span, event.partition, heard(event))
    last = max(merging.closed.values())
    return {
        window.start: {
            version: (one.baseline, one.n, one.late, one.cells)
            for version, one in sorted(window.counts.versions.items())
        }
        for window in merging.complete(last)
    }


def head(world):
    return world.consumers[COUNT]


async def test_counts_cells_of_the_versions_baseline():
    world = watched()
    fill(world)
    events = await told(world)
    assert [e.window.start for e in events] == [DAY0, DAY0 + timedelta(days=1)]
    first = events[0]
    assert first.at == DAY0 + timedelta(days=1, minutes=30)
    (one,) = first.versions
    assert (one.version, one.baseline, one.n) == ("0.1.0", DIGEST, 40)
    assert sum(one.counts) == 3 * one.n  # Two features and a score.


async def test_the_prior_is_counted_by_number_alone():
    world = World()
    fill(world, version="0.0.0")
    (one,) = (await told(world))[0].versions
    assert (one.baseline, one.n, one.counts) == (None, 40, ())


async def test_versions_share_a_window():
    world = World(files=Shelf(DIGEST, OTHER))
    older = released("0.1.0", DIGEST, revision=2)
    world.kafka.tell(RELEASE_CHANGED, older)
    world.kafka.tell(RELEASE_CHANGED, released("0.2.0", OTHER, revision=3, before=[older]))
    for day in range(2):
        fill(world, days=1, start=day)
        fill(world, days=1, start=day, version="0.2.0", per_day=20)
    first = (await told(world))[0]
    assert [(one.version, one.baseline) for one in first.versions] == [
        ("0.1.0", DIGEST),
        ("0.2.0", OTHER),
    ]


@pytest.fixture
async def expected():
    world = watched(partitions=3)
    fill(world, days=5)
    return merged(await told(world))


@pytest.mark.parametrize("max_records", [1, 7, 100])
async def test_where_a_batch_ends_changes_nothing(expected, max_records):
    world = watched(partitions=3)
    head(world).max_records = max_records
    fill(world, days=5)
    assert merged(await told(world)) == expected
    assert len(expected) == 4


async def test_heard_again_nothing_changes(expected):
    world = watched(partitions=3)
    fill(world, days=5)
    first = await told(world)
    await world.kafka.redeliver(head(world))
    again = await told(world)
    assert {e.event_id: e for e in again} == {e.event_id: e for e in first}
    assert merged(again) == expected


async def test_partitions_in_any_order_and_split_over_two_monitors(expected):
    """One monitor has fallen behind: it reads its partition when all others are done."""
    world = watched(partitions=3)
    fill(world, days=5)
    behind = next(at for at in world.kafka.logs if ".predictions." in at.topic)
    held = world.kafka.logs[behind][:]
    world.kafka.logs[behind][:] = held[:9]
    await world.settle(6)
    await world.restart()
    world.kafka.logs[behind][:] = held
    assert merged(await told(world, rounds=4)) == expected


async def test_restarts_change_no_window(expected):
    world = watched(partitions=3)
    for day in range(5):
        fill(world, days=1, start=day)
        await world.settle(6)
        await world.sweep.once()
        await world.restart(rewind=lambda offset: max(0, offset - 7))
    assert merged(await told(world)) == expected


async def test_an_idle_partitions_window_is_told_early_and_amended():
    world = watched(partitions=2)
    world.predict("a", 3, key=b"0", version="0.1.0")
    for hours in range(60):
        world.predict(f"b{hours}", hours, key=b"1", version="0.1.0")
    await told(world)
    world.predict("b60", 60, key=b"1", version="0.1.0")
    await told(world)
    one, other = sorted(
        {e.partition for e in world.kafka.events(PREDICTIONS_COUNTED)},
        key=lambda p: len(world.kafka.logs[position(world, p)]),
    )
    early = [e for e in world.kafka.events(PREDICTIONS_COUNTED) if e.partition == one]
    assert [(e.window.start, e.through) for e in early if e.window.start >= DAY0] == [
        (DAY0, 0),
        (DAY0 + timedelta(days=1), -1),
    ]
    # Not late: its own partition has heard nothing later.
    world.predict("a2", 4, key=b"0", version="0.1.0")
    world.predict("a3", 61, key=b"0", version="0.1.0")
    events = await told(world)
    amended = [e for e in events if e.partition == one and e.window.start == DAY0]
    assert [(e.through, e.versions[0].n) for e in amended] == [(0, 1), (1, 2)]
    whole = watched(partitions=2)
    for at in (position(world, one), position(world, other)):
        whole.kafka.logs[at][:] = world.kafka.logs[at]
    assert merged(await told(whole)) == merged(events)


def position(world, partition):
    return next(
        at for at in world.kafka.logs if ".predictions." in at.topic and at.partition == partition
    )


@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("reach", [30, 5000])
async def test_copies_count_once_wherever_reading_begins(expected, monkeypatch, reach, forgetful):
    monkeypatch.setattr(counting, "REACH", reach)
    monkeypatch.setattr(copies, "REACH", reach)
    world = watched(partitions=3)
    head(world).max_records = 10
    for day in range(5):
        for _ in range(2):
            fill(world, days=1, start=day)
            await world.settle(6)
            await world.restart(rewind=lambda offset: max(0, offset - 3))
            if forgetful:
                world.store.recent_of.clear()
    assert merged(await told(world)) == expected
    await world.kafka.redeliver(head(world))
    assert merged(await told(world)) == expected


async def test_copies_of_what_another_process_has_counted_meanwhile_count_once(expected):
    world = watched(partitions=3)
    fill(world, days=1)
    await world.settle(6)
    before = list(world.kafka._consumers)
    await world.restart()
    fill(world, days=2, start=1)
    await world.settle(6)
    commits = {consumer.group: at for consumer, at in world.kafka._consumers}
    world.kafka._consumers[:] = [(one, commits[one.group]) for one, _ in before]
    fill(world, days=4, start=1)
    assert merged(await told(world)) == expected


async def test_a_lost_store_never_tells_a_window_counted_in_part(expected, monkeypatch):
    world = watched(partitions=3)
    fill(world, days=3)
    first = await told(world)
    world.store.flush()
    # Retention has deleted the first day and a half.
    gone = {at: len(log) // 2 for at, log in world.kafka.logs.items()}
    bounds = world.log.bounds

    async def shorter(positions):
        return {at: (gone.get(at, 0), end) for at, (_, end) in (await bounds(positions)).items()}

    monkeypatch.setattr(world.log, "bounds", shorter)
    fill(world, days=2, start=3)
    events = (await told(world))[len(first) :]
    last = max(expected)
    assert {e.partition for e in events} == {0, 1, 2}
    assert merged(events) == {last: expected[last]}


async def test_a_lost_store_is_counted_again():
    world = watched(partitions=2)
    fill(world, days=3)
    first = await told(world)
    world.store.flush()
    fill(world, days=2, start=3)
    events = await told(world)
    by_id = {e.event_id: e for e in events}
    assert all(by_id[e.event_id] == e for e in first)
    assert len(merged(events)) == 4


async def test_an_older_store_goes_on_where_it_stands(expected):
    world = watched(partitions=3)
    fill(world, days=2)
    await told(world)
    older = dict(world.store.heads_of), dict(world.store.recent_of)
    fill(world, days=1, start=2)
    await told(world)
    world.store.heads_of, world.store.recent_of = older
    fill(world, days=2, start=3)
    assert merged(await told(world)) == expected


async def test_a_former_owner_changes_nothing():
    store = MemoryStore()
    world = watched(store=store)
    fill(world, days=2)

    async def somebody_else(model, counted, count=store.count_heads):
        store.count_heads = count
        await count(model, counted)
        return await count(model, counted)

    store.count_heads = somebody_else
    fill(world, days=1, start=2)
    events = await told(world)
    clean = watched()
    fill(clean, days=3)
    assert merged(events) == merged(await told(clean))


async def test_a_corrupt_baseline_is_refused_and_said(caplog):
    shelf = Shelf(DIGEST)
    shelf.trees[DIGEST] = {"baseline.json": b'{"format": 1}'}
    world = World(files=shelf)
    world.kafka.tell(RELEASE_CHANGED, released("0.1.0", DIGEST, revision=2))
    fill(world, days=2)
    (one,) = (await told(world))[0].versions
    assert (one.baseline, one.n, one.counts) == (None, 40, ())
    said = [record.getMessage() for record in caplog.records if "corrupt" in record.getMessage()]
    assert len(said) == 1
    assert "Restore it and restart" in said[0]


async def test_a_version_no_plan_names_yet_is_waited_for():
    world = World(files=Shelf(DIGEST))
    fill(world, days=2)
    assert await told(world) == []
    assert "waiting for the release of m 0.1.0" in world.watches.unready()
    world.kafka.tell(RELEASE_CHANGED, released("0.1.0", DIGEST, revision=2))
    (one,) = (await told(world))[0].versions
    assert (one.baseline, one.n) == (DIGEST, 40)
    assert world.watches.unready() is None


async def test_a_version_that_no_plan_ever_names_is_counted_by_number_alone(monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE_S", 0.0)
    world = watched()
    fill(world, days=2, version="9.9.9")
    (one,) = (await told(world))[0].versions
    assert (one.version, one.baseline, one.n) == ("9.9.9", None, 40)

"""The champion is watched: alarms with a promise, once, and what ends them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED
from contracts.base import Window
from contracts.performance import DRIFT_DETECTED, DRIFT_MEASURED, PREDICTIONS_COUNTED
from contracts.quality import QUALITY_MEASURED, QualityMeasured
from contracts.registry import RELEASE_CHANGED
from tests.service.monitor.baselines import DIGEST, OTHER, Shelf, score_of, stream
from tests.service.monitor.world import DAY0, World, declaration, released

PER_DAY = 300
WINDOWS = "monitor-windows"
TOLD = (DRIFT_DETECTED, ALERT_RAISED, ALERT_RESOLVED, DRIFT_MEASURED)


def fill(world, days, start=0, version="0.1.0", flipped=(), nulls=(), unlabelled=(), moved=()):
    """Make days of predictions like those of the baseline, but for the days that are named."""
    hours, carriers, plans, scores, truths = stream(days, PER_DAY, 11 + start, start)
    rng = np.random.default_rng(start)
    for n, hour in enumerate(hours.tolist()):
        day, event_id = int(hour // 24), f"{version}-{start}-{n}"
        plan = None if day in nulls and rng.random() < 0.3 else plans[n] + 400 * (day in moved)
        truth = bool(truths[n]) ^ (day in flipped)
        features = {"carrier": carriers[n], "plan": plan}
        world.predict(event_id, hour, score=float(scores[n]), version=version, features=features)
        if day not in unlabelled or n % 2:
            world.tell(event_id, hour + 1, truth)


def watched(partitions=2, **more):
    spec = declaration(drift={"false_alarms": "1 per 100 windows"})
    world = World(partitions=partitions, spec=spec, files=Shelf(DIGEST, OTHER), **more)
    promote(world)
    return world


def promote(world, version="0.1.0", baseline=DIGEST, revision=2):
    before = [released("0.1.0", DIGEST)] if version != "0.1.0" else []
    world.kafka.tell(RELEASE_CHANGED, released(version, baseline, revision=revision, before=before))


async def settled(world, rounds=3):
    for _ in range(rounds):
        await world.settle(6)
        await world.sweep.once()
    await world.settle()


async def told(world, topic, rounds=3):
    await settled(world, rounds)
    return world.kafka.events(topic)


def day(event):
    return (event.window.start - DAY0).days


async def test_a_quiet_stream_is_measured_and_gives_no_alarm():
    world = watched()
    fill(world, 10)
    measured = await told(world, DRIFT_MEASURED)
    assert [day(m) for m in measured] == list(range(9))
    assert not [e for topic in TOLD[:3] for e in world.kafka.events(topic)]
    last = measured[-1]
    assert last.version == "0.1.0"
    assert set(last.features) == {"carrier", "plan", "score"}
    assert last.estimate.valid
    assert last.estimate.loss == pytest.approx(0.54, abs=0.03)
    assert last.level == 800
    assert last.at == last.window.end + timedelta(minutes=30)
    assert set(last.evidence) >= {"inputs", "impact", "quality", "loss", "calibration", "labels"}


async def test_what_changes_between_features_and_truth_asks_to_retrain():
    world = watched()
    fill(world, 14, flipped=range(5, 14))
    alarms = await told(world, DRIFT_DETECTED)
    assert {a.detector for a in alarms} == {"loss", "calibration", "slices"}
    assert all(day(a) >= 5 for a in alarms)
    first = alarms[0]
    assert (first.recommendation, first.promise, first.level) == ("retrain", 100, 800)
    assert first.evidence >= first.level
    assert first.since == DAY0 + timedelta(days=5)
    assert first.contributions[0].share > 0
    assert "retrain" in first.summary
    slices = next(a for a in alarms if a.detector == "slices")
    assert set(slices.blamed) <= {"carrier=UA", "carrier=VX"}
    # Told again only after the cool-down of 7 days.
    loss = [day(a) for a in alarms if a.detector == "loss"]
    assert loss == [loss[0], loss[0] + 7]
    assert not world.kafka.events(ALERT_RAISED)
    doubted = [m for m in world.kafka.events(DRIFT_MEASURED) if day(m) == 12]
    assert not doubted[0].estimate.valid


async def test_inputs_that_move_inform_once():
    world = watched()
    fill(world, 14, moved=range(4, 14))
    alarms = await told(world, DRIFT_DETECTED)
    assert {(a.detector, a.recommendation, a.blamed) for a in alarms} <= {
        ("inputs", "inform", ("plan",)),
    }
    assert len(alarms) == 1
    assert "no reason to retrain" in alarms[0].summary


async def test_a_data_quality_alert_names_the_field_and_is_resolved():
    world = watched()
    fill(world, 12, nulls=range(4, 7))
    (alert,) = await told(world, ALERT_RAISED)
    assert (alert.detector, alert.version, alert.blamed) == ("quality", "0.1.0", ("plan",))
    assert alert.since == DAY0 + timedelta(days=4)
    assert alert.contributions[0].what == "null:plan"
    (over,) = world.kafka.events(ALERT_RESOLVED)
    assert (over.alert, over.detector, day(over)) == (alert.event_id, "quality", 7)


async def test_no_label_means_a_retrain_while_the_data_were_broken():
    world = watched()
    fill(world, 12, nulls=range(4, 9), flipped=range(4, 9))
    alarms = await told(world, DRIFT_DETECTED)
    broken = [a for a in alarms if a.detector in ("loss", "calibration")]
    assert broken
    assert {a.recommendation for a in broken} == {"inform"}
    assert "mend plan" in broken[0].summary


async def test_labels_that_do_not_arrive_are_an_alert():
    world = watched()
    fill(world, 12, unlabelled=range(4, 8))
    (alert,) = await told(world, ALERT_RAISED)
    assert (alert.detector, alert.blamed) == ("labels", ("labels",))
    assert 4 <= day(alert) < 8
    (over,) = world.kafka.events(ALERT_RESOLVED)
    assert (over.alert, day(over)) == (alert.event_id, 8)


def quality(world, at, received, quarantined, partition=0, stream_of="events", through=None):
    start = DAY0 + timedelta(days=at)
    window = Window(start=start, end=start + timedelta(days=1))
    world.kafka.tell(
        QUALITY_MEASURED,
        QualityMeasured.caused_by(
            f"q/{stream_of}/{partition}/{at}/{through or at}",
            model="m",
            at=window.end,
            stream=stream_of,
            partition=partition,
            through=through or at,
            window=window,
            received=received,
            valid=received - quarantined,
            duplicates=0,
            quarantined=quarantined,
            reasons={"features.carrier: literal_error": quarantined} if quarantined else {},
            nulls={},
        ),
    )


async def test_events_that_are_refused_are_an_alert():
    world = watched()
    for at in range(12):
        for partition in (0, 1):
            bad = 60 if 4 <= at < 7 else 0
            quality(world, at, 200, bad, partition)
            quality(world, at, 200, 200, partition, "labels")
    (alert,) = await told(world, ALERT_RAISED)
    assert alert.detector == "intake"
    assert "carrier" in alert.blamed
    assert 4 <= day(alert) < 7
    (over,) = world.kafka.events(ALERT_RESOLVED)
    assert (over.alert, day(over)) == (alert.event_id, 7)


async def test_an_amended_count_of_refused_events_is_the_one_that_counts():
    world = watched()
    for at in range(12):
        quality(world, at, 400, 100, through=10 * at)
        quality(world, at, 400, 0, through=10 * at + 5)
    assert await told(world, ALERT_RAISED) == []


def everything(world):
    """All that was told, but for what outcomes of other windows say beside a window's inputs."""
    timeless = {"evidence": None, "estimate": None}
    return {
        topic.name: {
            e.event_id: e.model_copy(update=timeless if topic is DRIFT_MEASURED else None)
            for e in world.kafka.events(topic)
        }
        for topic in TOLD
    }


@pytest.fixture
async def clean():
    world = watched()
    fill(world, 14, flipped=range(5, 14), nulls=range(8, 11))
    await settled(world)
    return everything(world)


async def test_restarts_and_copies_neither_repeat_nor_lose_an_alarm(clean):
    world = watched()
    for start in range(14):
        hit = {"flipped": range(5, 14), "nulls": range(8, 11)}
        fill(world, 14, **hit) if start == 0 else None
        await world.settle(1)
        await world.restart(rewind=lambda offset: max(0, offset - 5))
    await settled(world)
    await world.kafka.redeliver(world.consumers[WINDOWS])
    await settled(world)
    assert everything(world) == clean
    assert len(clean["drift.detected.v1"]) >= 3
    assert len(clean["alert.raised.v1"]) == 1


async def test_a_crash_before_anything_is_published_loses_no_alarm(clean):
    world = watched()
    fill(world, 14, flipped=range(5, 14), nulls=range(8, 11))
    publish, crashes = world.kafka.publish, []

    async def fail(messages, blocks=()):
        if any(".drift." in m.topic or ".alert." in m.topic for m in messages) and len(crashes) < 9:
            crashes.append(1)
            raise ConnectionError("gone")
        await publish(messages, blocks)

    world.kafka.publish = fail
    for _ in range(9):
        for consumer in world.consumers.values():
            consumer.rest = _abandoned
        try:
            await world.settle(1)
        except Gone:
            await world.restart()
    await settled(world)
    assert crashes
    assert everything(world) == clean


class Gone(BaseException):
    """The process has died."""


async def _abandoned(_):
    raise Gone


async def test_a_former_owner_changes_no_ledger(clean, monkeypatch):
    world = watched()
    write, others = world.store.write_ledger, []

    async def slower(model, ledger, known):
        if len(others) < 3:
            others.append(known)
            await write(model, (known or b"\x80"), known)
            world.store.ledgers[model] = known or b"\x80"
            return await write(model, ledger, b"what was there before")
        return await write(model, ledger, known)

    async def rest(_): ...

    monkeypatch.setattr(world.store, "write_ledger", slower)
    monkeypatch.setattr(world.consumers[WINDOWS], "rest", rest)
    fill(world, 14, flipped=range(5, 14), nulls=range(8, 11))
    await settled(world)
    assert len(others) == 3
    assert everything(world) == clean


async def test_a_lost_store_is_rebuilt_from_the_counted_topics(clean):
    world = watched()
    fill(world, 14, flipped=range(5, 14), nulls=range(8, 11))
    await settled(world)
    world.store.flush()
    world.predict("one more", 24 * 14 + 5, version="0.1.0")
    world.predict("and another", 24 * 15 + 5, version="0.1.0")
    await settled(world, rounds=6)
    found = everything(world)
    for topic, events in clean.items():
        assert found[topic].keys() >= events.keys()
    assert found["drift.detected.v1"] == clean["drift.detected.v1"]
    assert found["alert.raised.v1"] == clean["alert.raised.v1"]


async def test_a_store_lost_within_the_first_batch_loses_no_part(clean):
    world = watched()
    write, written = world.store.write_ledger, []

    async def lost(model, ledger, known):
        written.append(model)
        answer = await write(model, ledger, known)
        if len(written) == 3:
            world.store.ledgers.clear()
        return answer

    world.store.write_ledger = lost
    fill(world, 14, flipped=range(5, 14), nulls=range(8, 11))
    await settled(world)
    assert everything(world) == clean


async def test_a_new_champion_starts_afresh_with_its_own_baseline():
    world = watched()
    fill(world, 8, flipped=range(5, 8), nulls=range(5, 8))
    (alert,) = await told(world, ALERT_RAISED)
    promote(world, "0.2.0", OTHER, revision=3)
    fill(world, 8, start=8, version="0.2.0")
    await settled(world)
    (over,) = world.kafka.events(ALERT_RESOLVED)
    assert over.alert == alert.event_id
    assert "0.2.0 decides now" in over.summary
    measured = [m for m in world.kafka.events(DRIFT_MEASURED) if m.version == "0.2.0"]
    assert [day(m) for m in measured] == list(range(8, 15))
    assert all(m.estimate.valid for m in measured)
    assert not [a for a in world.kafka.events(DRIFT_DETECTED) if a.version == "0.2.0"]


async def test_the_prior_is_watched_by_nothing_and_that_is_said():
    world = World(spec=declaration())
    before = windows_without_baseline()
    fill(world, 8, version="0.0.0", flipped=range(8))
    await settled(world)
    assert not [e for topic in TOLD for e in world.kafka.events(topic)]
    assert len(world.kafka.events(PREDICTIONS_COUNTED)) >= 7
    assert windows_without_baseline() > before


def windows_without_baseline():
    from shared.telemetry import COUNTERS

    return COUNTERS["windows_without_baseline"].labels("monitor", "m")._value.get()


async def test_an_amended_window_is_not_judged_twice():
    world = watched(partitions=2)
    fill(world, 3)
    await settled(world)
    before = everything(world)
    for part in world.kafka.events(PREDICTIONS_COUNTED)[:2]:
        more = part.model_copy(
            update={"event_id": f"{part.partition}", "through": part.through + 1000}
        )
        world.kafka.tell(PREDICTIONS_COUNTED, more)
    await settled(world)
    assert everything(world) == before


def test_scores_are_those_of_the_baseline():
    assert score_of(["UA", "VX", "B6"]).tolist() == [0.2, 0.4, 0.3]

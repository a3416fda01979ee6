"""Labels that are early, late, twice, corrected, or never come."""

import json

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from contracts.data import PREDICTIONS, outcome_type
from shared.telemetry import COUNTERS
from tests.service.monitor.world import World, at, ce_id, declaration

UNMATCHED = COUNTERS["labels_unmatched"]


@pytest.fixture
def world():
    return World()


async def test_an_outcome_is_the_prediction_and_what_came_of_it(world):
    world.predict("a", 1, score=0.25)
    world.tell("a", 3)
    world.predict("z", 30)
    world.tell("z", 31)
    await world.settle(3)
    (record,) = world.outcome_records()
    outcome = json.loads(record.value)
    assert ",".join(outcome) == (
        "id,time,model,version,score,decision,features,label,label_time,status,loss,shadow"
    )
    assert outcome == {
        "id": "a",
        "time": at(1),
        "model": "m",
        "version": "0.0.0",
        "score": 0.25,
        "decision": False,
        "features": {"carrier": "UA", "plan": 1},
        "label": True,
        "label_time": at(3),
        "status": "labelled",
        "loss": pytest.approx(1.3862944),
        "shadow": None,
    }
    assert b'{"carrier": "UA", "plan": 1}' in record.value
    assert record.key == b"a"
    outcome_type(declaration()).model_validate_json(record.value)


async def test_nothing_is_told_before_horizon_and_lateness_have_passed(world):
    world.predict("a", 1)
    world.tell("a", 2)
    world.tell("other", 99)
    world.predict("b", 5.4)
    await world.settle(60)
    assert world.outcomes() == []
    world.predict("c", 5.5)
    await world.settle()
    assert [o["id"] for o in world.outcomes()] == ["a"]


async def test_the_labels_watermark_holds_predictions_back(world):
    world.predict("a", 1)
    world.predict("z", 99)
    world.tell("other", 2)
    await world.settle()
    assert world.outcomes() == []
    world.tell("a", 3)
    world.tell("other", 6)
    await world.settle()
    assert [o["status"] for o in world.outcomes()] == ["labelled"]


async def test_without_labels_the_partition_waits_a_while_and_goes_on(world):
    world.predict("a", 1)
    world.predict("z", 99)
    await world.settle(1.9)
    assert world.outcomes() == []
    await world.settle(0.2)
    (outcome,) = world.outcomes()
    assert (outcome["status"], outcome["label"], outcome["loss"]) == ("unlabelled", None, None)
    assert outcome["label_time"] is None


async def test_a_missing_label_may_mean_no():
    world = World(spec=declaration(label={"name": "late", "horizon": "4h", "missing": "negative"}))
    world.predict("a", 1, score=0.25)
    world.predict("z", 99)
    await world.settle(3)
    (outcome,) = world.outcomes()
    assert (outcome["status"], outcome["label"]) == ("unlabelled", False)
    assert outcome["loss"] == pytest.approx(0.2876821)


async def test_labels_before_their_prediction_and_copies(world):
    world.tell("a", 0.5)
    world.tell("a", 0.5)
    world.predict("a", 1)
    world.predict("a", 1)
    world.predict("z", 99)
    await world.settle(3)
    assert [o["status"] for o in world.outcomes()] == ["labelled"]


async def test_a_batch_of_nothing_but_copies(world):
    world.predict("a", 1)
    world.tell("a", 2)
    world.predict("z", 30)
    world.tell("z", 31)
    await world.settle(3)
    world.predict("a", 1)
    world.predict("zz", 31)
    await world.settle(3)
    world.predict("zzz", 99)
    await world.settle(3)
    assert [o["id"] for o in world.outcomes()] == ["a", "z", "zz"]
    assert world.kafka.records(world.topic(PREDICTIONS) + ".dlq") == []


async def test_of_revisions_the_newest_label_time_wins_then_the_later_record(world):
    world.predict("a", 1)
    world.predict("b", 1)
    world.tell("a", 3, False)
    world.tell("a", 2, True)
    world.tell("b", 2, True)
    world.tell("b", 2, False)
    world.predict("z", 99)
    await world.settle(3)
    assert {o["id"]: o["label"] for o in world.outcomes()} == {"a": False, "b": False}


async def test_a_label_after_maturity_is_a_correction(world):
    world.predict("a", 1)
    world.predict("z", 99)
    await world.settle(3)
    world.tell("a", 50, True)
    world.tell("a", 50, True)
    world.tell("a", 40, False)
    await world.settle()
    world.tell("a", 60, False)
    await world.settle()
    told = [(o["status"], o["label"], o["label_time"]) for o in world.outcomes("a")]
    assert told == [
        ("unlabelled", None, None),
        ("corrected", True, at(50)),
        ("corrected", False, at(60)),
    ]
    assert len({ce_id(record) for record in world.outcome_records()}) == 3


async def test_a_fast_replay_tells_what_a_live_stream_told(world):
    live = World()
    for one, pauses in ((live, True), (world, False)):
        one.predict("a", 1)
        one.predict("z", 99)
        one.tell("a", 3, True)
        one.tell("x", 20)
        if pauses:
            await one.settle(3)
        one.tell("a", 50, False)
        one.tell("x", 51)
        await one.settle(3)
    assert live.kafka.values(live.topic_of_outcomes) == world.kafka.values(world.topic_of_outcomes)
    assert [o["status"] for o in live.outcomes("a")] == ["labelled", "corrected"]


async def test_redelivery_gives_the_same_bytes(world):
    for n in range(20):
        world.predict(f"id{n}", n / 4)
        if n % 3:
            world.tell(f"id{n}", n / 4 + 1, n % 2 == 0)
    world.predict("z", 99)
    await world.settle(3)
    world.tell("id3", 70, True)
    await world.settle()
    before = {ce_id(record): record.value for record in world.outcome_records()}
    count = len(world.outcome_records())
    await world.restart(rewind=lambda _: 0)
    await world.settle(3)
    assert len(world.outcome_records()) > count
    assert {ce_id(record): record.value for record in world.outcome_records()} == before
    assert all(before[ce_id(record)] == record.value for record in world.outcome_records())


async def test_an_unknown_model_waits_for_its_declaration():
    world = World(spec=declaration())
    world.kafka.logs.clear()
    world.predict("a", 1)
    world.tell("a", 2)
    world.predict("z", 99)
    await world.settle(3)
    assert world.outcomes() == []
    world.declare(world.spec)
    await world.settle(3)
    assert [o["id"] for o in world.outcomes()] == ["a"]


async def test_garbage_is_parked_and_passed(world):
    topic = world.topic(PREDICTIONS)
    world.predict("a", 1)
    world.kafka.append(topic, b"{", key=b"k")
    world.kafka.append(topic, b'{"id": "q", "time": "2013-06-01T02:00:00"}', key=b"k")
    world.predict("multi", 1, score=[0.5, 0.5])
    world.tell("a", 2, value="yes")
    world.predict("z", 99)
    await world.settle(3)
    assert [o["id"] for o in world.outcomes()] == ["a"]
    letters = world.kafka.records(topic + ".dlq")
    assert len(letters) == 3
    assert b"$.score" in dict(letters[2].headers)["dlq-reason"]
    assert len(world.kafka.records(world.topic_of_labels + ".dlq")) == 1


async def test_a_store_that_is_away_is_waited_for(world):
    world.predict("a", 1)
    world.predict("z", 99)
    await world.settle(3)
    world.store.failures = [RedisConnectionError("away")]
    world.tell("a", 50)
    world.predict("zz", 199)
    await world.settle(3)
    assert [o["status"] for o in world.outcomes("a")] == ["unlabelled", "corrected"]


async def test_a_flushed_store_is_read_again_and_nothing_is_told_twice(world):
    world.predict("a", 1)
    world.tell("a", 2)
    world.predict("b", 20)
    world.tell("b", 21)
    world.predict("late", 22)
    world.predict("z", 99)
    await world.settle(3)
    before = [record.value for record in world.outcome_records()]
    assert len(before) == 3
    world.store.flush()
    world.tell("late", 70)
    world.predict("zz", 199)
    world.tell("z", 100)
    await world.settle(3)
    await world.settle(3)
    after = [record.value for record in world.outcome_records()]
    assert after[:3] == before
    assert [(o["id"], o["status"]) for o in world.outcomes()[3:]] == [
        ("late", "corrected"),
        ("z", "labelled"),
    ]


async def test_labels_under_another_key_are_counted_and_the_key_is_suspected(caplog):
    world = World(partitions=4)
    for n in range(300):
        world.predict(f"id{n}", n / 100, key=b"entity")
        world.tell(f"id{n}", n / 100 + 1, key=b"other-%d" % n)
    before = UNMATCHED.labels("monitor", "m")._value.get()
    with caplog.at_level("WARNING", "driftwheel.monitor"):
        for day in range(1, 5):
            world.predict(f"z{day}", 24 * day, key=b"entity")
            for _ in range(3):
                await world.settle(3)
                await world.sweep.once()
    here = {record.partition for record in world.kafka.records(world.topic(PREDICTIONS))}
    labels = world.kafka.records(world.topic_of_labels)
    elsewhere = sum(record.partition not in here for record in labels)
    assert elsewhere > 150
    assert UNMATCHED.labels("monitor", "m")._value.get() - before == elsewhere
    assert any("First suspect: the record key" in record.message for record in caplog.records)


async def test_regression_and_classes():
    world = World(spec=declaration(task="regression", metric="mae", cost=None, slices=[]))
    world.predict("a", 1, score=20.5, decision=None)
    world.tell("a", 2, value=18)
    world.predict("z", 99, score=1.0)
    await world.settle(3)
    (outcome,) = world.outcomes()
    assert (outcome["label"], outcome["loss"]) == (18.0, 2.5)

    spec = declaration(task="multiclass", classes=["x", "y"], cost=None)
    world = World(spec=spec)
    world.predict("a", 1, score=[0.25, 0.75], decision="y")
    world.tell("a", 2, value="x")
    world.predict("z", 99, score=[0.5, 0.5])
    await world.settle(3)
    (outcome,) = world.outcomes()
    assert (outcome["label"], outcome["loss"]) == ("x", pytest.approx(1.3862944))

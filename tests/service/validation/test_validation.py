"""What becomes of good, bad and repeated records."""

import json
from datetime import timedelta

import pytest

from contracts.quality import QUALITY_MEASURED
from shared.errors import Transient
from tests.doubles import START_MS
from tests.service.validation.world import NOON, World, declaration, event, label, started


async def test_a_good_event_goes_on_byte_for_byte():
    world = started()
    raw = (
        b' { "time":"2023-11-14T12:00:00.000+00:00", "id": "e\\u00e9", "features": {"seats": 149,'
        b' "age": 7.50, "carrier": "UA", "weekend": false} }'
    )
    await world.send(raw, key=b"UA", headers=[("mine", b"1"), ("empty", None), ("raw", b"\xff")])
    (record,) = world.validated
    headers = dict(record.headers)
    assert record.value == raw
    assert record.key == b"UA"
    assert headers["mine"] == b"1"
    assert headers["empty"] == b""
    assert headers["raw"] == b"\xff"
    assert headers["ce_id"].decode() == "eé"
    assert headers["ce_type"] == b"data.flight-delay.events.validated.v1"
    assert headers["ce_time"] == b"2023-11-14T12:00:00.000+00:00"
    assert world.quarantined == []


async def test_attributes_and_the_trace_that_came_are_not_doubled():
    world = started()
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    await world.send(event(), headers=[("ce_id", b"mine"), ("traceparent", trace)])
    names = [name for name, _ in world.validated[0].headers]
    assert names.count("ce_id") == names.count("traceparent") == 1
    assert dict(world.validated[0].headers)["ce_id"] == b"mine"


@pytest.mark.parametrize("key", [None, b""])
async def test_without_a_key_the_id_is_the_key(key):
    world = started()
    await world.send(event(7), key=key)
    await world.send(label(7), key=key, labels=True)
    assert world.validated[0].key == world.labels[0].key == b"e7"


BAD = {
    "null": (None, "value: there is none; write a JSON object"),
    "empty": (b"", "value: Invalid JSON: EOF"),
    "garbage": (b"\x00\x01\xfe", "value: Invalid JSON"),
    "not UTF-8": (b'{"id": "\xff"}', "value: Invalid JSON"),
    "lone surrogate": (json.dumps(event()).replace('"e0"', '"\\ud800"').encode(), "Invalid JSON"),
    "no object": (b"[1]", "value: Input should be an object"),
    "JSON null": (b"null", "value: Input should be an object"),
    "deep": (b'{"a":' * 100_000, "value: Invalid JSON: recursion limit exceeded"),
    "NaN": (event(age=float("nan")), "features.age: Input should be a finite number (got NaN)"),
    "infinity": (event(age=float("-inf")), "features.age: Input should be a finite number"),
    "1e999": (json.dumps(event()).replace("7.5", "1e999").encode(), "features.age: Input should"),
    "text for a number": (
        event(seats="149"),
        'features.seats: Input should be a valid integer (got "149")',
    ),
    "float for an int": (event(seats=149.5), "features.seats: Input should be a valid integer"),
    "bool for an int": (
        event(seats=True),
        "features.seats: Input should be a valid integer (got true)",
    ),
    "too large": (
        event(seats=900),
        "features.seats: Input should be less than or equal to 600 (got 900)",
    ),
    "unknown category": (
        event(carrier="XX"),
        "features.carrier: Input should be 'UA' or 'VX' (got \"XX\")",
    ),
    "null where none may be": (
        event(seats=None),
        "features.seats: Input should be a valid integer (got null)",
    ),
    "unknown feature": (event(wheels=4), "features.wheels: Extra inputs are not permitted"),
    "missing feature": (
        {**event(), "features": {"seats": 1}},
        "features.carrier: Field required; features.weekend: Field required",
    ),
    "name twice": (
        json.dumps(event()).replace('"seats": 149', '"seats": 1, "seats": 149').encode(),
        "seats: the name occurs twice",
    ),
    "digits for a time": (
        event(time="1700000000"),
        'time: write it as 2013-06-13T14:45:00Z (got "1700000000")',
    ),
    "no time zone": (event(time="2023-11-14T12:00:00"), "time: Input should have timezone info"),
    "number for a time": (
        {**event(), "time": 1700000000},
        "time: Input should be a valid datetime",
    ),
    "future": (
        event(time="2030-01-01T00:00:00Z"),
        "time: 2030-01-01T00:00:00+00:00 lies 2239 days",
    ),
    "before time": (
        event(time="0001-01-01T00:00:00+14:00"),
        "time: 0001-01-01T00:00:00+14:00 lies before",
    ),
    "empty id": ({**event(), "id": ""}, "id: String should have at least 1 character"),
    "number for an id": ({**event(), "id": 5}, "id: Input should be a valid string (got 5)"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_bad_is_set_aside_whole_and_costs_nothing_else(name):
    world, (value, reason) = started(), BAD[name]
    await world.send(event(1))
    await world.send(value, key=b"k", headers=[("mine", b"\xff"), ("quarantine-reason", b"old")])
    await world.send(event(2))
    (record,) = world.quarantined
    headers = dict(record.headers)
    assert reason in world.reasons[0]
    expected = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    assert record.value == expected
    assert record.key == b"k"
    assert headers["mine"] == b"\xff"
    assert [n for n, _ in record.headers].count("quarantine-reason") == 1
    assert headers["quarantine-topic"] == b"test.data.flight-delay.events.v1"
    assert headers["quarantine-partition"] == b"0"
    assert headers["quarantine-offset"] == b"1"
    assert headers["quarantine-schema"].decode() == declaration().digest()
    assert [json.loads(r.value)["id"] for r in world.validated] == ["e1", "e2"]


async def test_a_bad_label_is_set_aside_too():
    world = started()
    await world.send(label(1, value="yes"), label(2), labels=True)
    assert world.reasons == ['value: Input should be a valid boolean (got "yes")']
    assert len(world.labels) == 1


async def test_a_time_just_ahead_is_a_clock_and_far_behind_is_a_replay():
    world = started()
    soon = NOON.fromtimestamp(START_MS / 1000, NOON.tzinfo) + timedelta(minutes=4)
    await world.send(event(1, soon.isoformat()), event(2, "1913-01-01T00:00:00Z"))
    assert len(world.validated) == 2


async def test_a_record_too_large_to_publish_again_leaves_its_address():
    world = started(largest_record=2000)
    await world.send(event(1, origin="x" * 3000), event(2))
    (record,) = world.quarantined
    assert record.value is None
    assert dict(record.headers)["quarantine-offset"] == b"0"
    assert world.reasons[0].startswith("value: the record has 3,")
    assert len(world.validated) == 1


async def test_a_key_out_of_proportion_is_refused():
    world = started()
    await world.send(event(), key=b"k" * 1001)
    assert world.reasons == ["key: it has 1,001 bytes; at most 1,000"]


async def test_copies_are_dropped_in_a_batch_across_batches_and_across_partitions():
    world = started(partitions=4)
    await world.send(event(1), event(1), key=b"a")
    for key in (b"a", b"b", b"c", b"d", None):
        await world.send(event(1), key=key)
    assert len(world.validated) == 1
    assert world.quarantined == []


async def test_a_copy_may_be_spelled_differently():
    world = started()
    await world.send(event(1), json.dumps(event(1), indent=1, sort_keys=True).encode())
    assert len(world.validated) == 1
    assert world.quarantined == []


async def test_an_id_with_other_content_is_refused():
    world = started()
    await world.send(event(1), event(1, seats=150), event(1))
    assert len(world.validated) == 1
    assert world.reasons == ["id was used before with other content"]


async def test_a_corrected_label_passes_and_its_copies_do_not():
    world = started()
    await world.send(label(1, True), label(1, True), label(1, False), label(1, False), labels=True)
    await world.send(label(1, True), labels=True)
    assert [json.loads(r.value)["value"] for r in world.labels] == [True, False, True]
    assert world.quarantined == []


async def test_a_mark_is_set_only_when_the_output_is_safe(monkeypatch):
    world, published = started(), []
    remember = world.memory.remember

    async def remembered(marks, values):
        published.append(len(world.validated))
        await remember(marks, values)

    monkeypatch.setattr(world.memory, "remember", remembered)
    world.kafka.failures.append(Transient("broker away"))
    await world.send(event(1))
    assert published == [1]


async def test_redelivery_yields_nothing_new():
    world = started()
    await world.send(event(1), event(2, seats=0), event(1), event(1, seats=3))
    good, bad = world.validated, [(r.value, r.headers) for r in world.quarantined]
    await world.kafka.redeliver(world.consumer)
    assert world.validated == good
    assert [(r.value, r.headers) for r in world.quarantined] == bad * 2


async def test_a_lost_memory_costs_copies_of_the_same_bytes_only():
    world = started()
    await world.send(event(1), event(2))
    world.memory.values.clear()
    await world.kafka.redeliver(world.consumer)
    first, second = world.validated[:2], world.validated[2:]
    assert [(r.key, r.value, r.headers) for r in first] == [
        (r.key, r.value, r.headers) for r in second
    ]


async def test_an_outage_of_the_memory_loses_nothing():
    world = started()
    world.memory.failures = [Transient("redis: connection refused")] * 2
    await world.send(event(1), None)
    assert len(world.validated) == len(world.quarantined) == 1


async def test_events_wait_for_their_declaration():
    world = World()
    await world.send(event(1))
    assert world.validated == world.quarantined == []
    world.declare(declaration())
    await world.kafka.settle()
    assert len(world.validated) == 1


async def test_a_new_declaration_is_in_force_at_once_and_an_older_one_never():
    world = started()
    await world.send(event(1, wheels=4))
    features = {"seats": {"type": "int"}}
    world.declare(declaration(features=features), revision=2)
    world.declare(declaration(), revision=1)
    await world.send({**event(2), "features": {"seats": 9000}})
    assert len(world.quarantined) == len(world.validated) == 1


async def test_two_per_cent_poison_is_all_found_and_nothing_else():
    world = started(partitions=4)
    poison = [None, b"{", event(seats=0), event(time="nonsense")]
    stream = [poison[n // 50 % 4] if n % 50 == 7 else event(n) for n in range(1000)]
    for value in stream:
        world.kafka.append(
            "test.data.flight-delay.events.v1",
            json.dumps(value).encode() if isinstance(value, dict) else value,
            key=str(id(value)).encode(),
        )
    await world.kafka.settle()
    assert len(world.quarantined) == 20
    found = {json.loads(record.value)["id"] for record in world.validated}
    assert found == {value["id"] for value in stream if value not in poison}
    assert len(world.validated) == 980


async def test_quality_is_told_when_the_window_closes_and_again_when_it_changes():
    world = started()
    await world.send(
        event(1, "2023-11-14T10:00:00Z"),
        event(2, "2023-11-14T10:30:00Z", age=None),
        event(1, "2023-11-14T10:00:00Z"),
        event(3, "2023-11-14T10:59:00Z", seats=0),
        b"garbage",
    )
    await world.send(event(4, "2023-11-14T11:29:00Z"))
    assert world.kafka.events(QUALITY_MEASURED) == []
    await world.send(event(5, "2023-11-14T11:30:00Z"))
    (told,) = world.kafka.events(QUALITY_MEASURED)
    assert (told.received, told.valid, told.duplicates, told.quarantined) == (5, 2, 1, 2)
    assert told.reasons == {"features.seats: greater_than_equal": 1, "value: json_invalid": 1}
    assert told.nulls == {"age": 1}
    assert told.window.start.isoformat() == "2023-11-14T10:00:00+00:00"
    assert told.window.end - told.window.start == timedelta(hours=1)
    assert (told.stream, told.partition, told.through) == ("events", 0, 6)
    await world.send(event(6, "2023-11-14T10:01:00Z"))
    amended = world.kafka.events(QUALITY_MEASURED)[-1]
    assert (amended.received, amended.through) == (6, 7)
    assert amended.window == told.window
    assert amended.event_id != told.event_id


async def test_quality_counts_each_offset_once():
    world = started()
    await world.send(event(1, "2023-11-14T10:00:00Z"), event(2, "2023-11-14T10:00:00Z", seats=0))
    await world.kafka.redeliver(world.consumer)
    await world.send(event(3, "2023-11-14T11:30:00Z"))
    (told,) = world.kafka.events(QUALITY_MEASURED)
    assert (told.received, told.valid, told.duplicates, told.quarantined) == (2, 1, 0, 1)


async def test_quality_is_kept_apart_by_partition_and_stream():
    world = started(partitions=2)
    for number in range(20):
        await world.send(event(number, "2023-11-14T10:00:00Z"), key=str(number).encode())
        await world.send(event(100 + number, "2023-11-14T12:00:00Z"), key=str(number).encode())
    await world.send(label(1, time="2023-11-14T10:00:00Z"), labels=True)
    told = world.kafka.events(QUALITY_MEASURED)
    last = {(t.stream, t.partition): t for t in told}
    assert set(last) == {("events", 0), ("events", 1)}
    assert sum(t.valid for t in last.values()) == 20

"""The loop on the real stack: two models side by side, bad input, traces, health, commands."""

import asyncio
import json
import os
import sys
from datetime import date
from pathlib import Path

import httpx
import pytest
from aiokafka.errors import MessageSizeTooLargeError

from driftwheel import Client
from driftwheel.declarations import Declaration
from examples.demo.ground import attached_ground
from examples.demo.play import Progress, play
from examples.flights.demo import FLIGHTS
from examples.temperature.replay import replay as temperatures
from tests.e2e.platform import eventually, running_platform

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPERATURE = "airport-temperature"
FLIGHT = {
    "carrier": "UA", "origin": "EWR", "dest": "IAH", "minute_of_day": 315, "dow": 1,
    "distance": 1400, "sched_elapsed": 227, "scheduled_load_1h": 12, "plane_age": 14, "seats": 149,
    "temp": 39.02, "humid": 59.37, "wind_speed": 10.4, "precip": 0.0, "pressure": 1012.0,
    "visib": 10.0, "origin_dep_delay_1h": 2.0, "carrier_dep_delay_3h": None,
    "dest_arr_delay_6h": None, "carrier_origin_late_rate_7d": 0.2, "origin_waiting_share_2h": 0.1,
    "tail_prev_dep_delay": None,
}  # fmt: skip
SERVICES = ("ingest", "validation", "serving", "monitor", "training", "registry")


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with running_platform(tmp_path_factory.mktemp("loop") / "stack") as platform:
        yield platform


@pytest.fixture(scope="module")
def flights(platform):
    async def apply():
        async with Client(kafka=platform.kafka, prefix="driftwheel.") as client:
            await client.apply(Declaration(FLIGHTS.declaration).content)

    asyncio.run(apply())


def event(id_: str, **changes) -> bytes:
    body = {"id": id_, "time": "2013-01-01T10:00:00Z", "features": {**FLIGHT, **changes}}
    return json.dumps(body).encode()


async def test_every_service_is_live_ready_and_measured(platform):
    async with httpx.AsyncClient() as http:
        for name in SERVICES:
            assert (await http.get(f"{platform.url(name)}/livez")).status_code == 200
            assert (await http.get(f"{platform.url(name)}/readyz")).json()["ready"] is True
            metrics = (await http.get(f"{platform.url(name)}/metrics")).text
            assert "driftwheel_records_consumed" in metrics
            for line in platform.log(name).splitlines():
                assert json.loads(line)["service"] == name


BAD = {
    "garbage": b"\x00\xff garbage",
    "empty": b"",
    "not an object": b"[1, 2]",
    "wrong type": event("bad-type", seats="many"),
    "NaN": event("bad-nan", temp=1).replace(b'"temp": 1', b'"temp": NaN'),
    "infinity": event("bad-inf", temp=1).replace(b'"temp": 1', b'"temp": 1e999'),
    "out of range": event("bad-range", seats=900),
    "unknown category": event("bad-category", carrier="ZZ"),
    "unknown field": event("bad-field", colour="red"),
    "missing": event("bad-missing").replace(b'"dow": 1, ', b""),
    "from the future": event("bad-clock").replace(b"2013-01-01", b"2213-01-01"),
}


async def test_bad_input_is_quarantined_as_it_came_and_nothing_else_is_lost(platform, flights):
    topic = f"driftwheel.data.{FLIGHTS.model}.events.v1"
    good = [f"good-{number}" for number in range(40)]
    async with platform.producer() as producer:
        for number, id_ in enumerate(good):
            key = None if number % 2 else id_.encode()
            headers = [("null", None), ("latin", b"\xe9")] if number % 3 else []
            await producer.send_and_wait(topic, event(id_), key=key, headers=headers)
            if number < len(BAD):
                await producer.send_and_wait(topic, list(BAD.values())[number], key=b"k")

    async def quarantined():
        records = await platform.records(f"data.{FLIGHTS.model}.events.quarantined.v1")
        mine = [r for r in records if (r.value or b"") in BAD.values()]
        return mine if len(mine) >= len(BAD) else None

    records = await eventually("all bad input is in quarantine", quarantined)
    assert {record.value or b"" for record in records} == set(BAD.values())
    for record in records:
        headers = dict(record.headers)
        assert headers["quarantine-topic"].decode() == topic
        assert headers["quarantine-reason"]
        assert record.key == b"k"

    async def predicted():
        ids = {p["id"] for p in await platform.values(f"data.{FLIGHTS.model}.predictions.v1")}
        return ids >= set(good)

    await eventually("every good event is predicted", predicted)
    bad_ids = {"bad-type", "bad-nan", "bad-inf", "bad-range", "bad-category", "bad-field"}
    predictions = await platform.values(f"data.{FLIGHTS.model}.predictions.v1")
    assert not bad_ids & {p["id"] for p in predictions}


async def test_one_command_replays_what_was_refused_once_the_declaration_is_mended(
    platform, flights
):
    mended = Declaration(FLIGHTS.declaration).content
    mended["spec"]["features"]["seats"]["max"] = 1000
    topic = f"driftwheel.data.{FLIGHTS.model}.events.v1"
    async with platform.producer() as producer:
        await producer.send_and_wait(topic, event("many-seats", seats=950), key=b"k")
    replay = ("quarantine", "replay", FLIGHTS.model, "--field", "features.seats", "--json")
    await eventually("it is in quarantine", lambda: _refused(platform, b"many-seats"))
    async with Client(kafka=platform.kafka, prefix="driftwheel.") as client:
        await client.apply(mended)
    assert await _driftwheel(platform, *replay, "--dry-run")

    async def predicted():
        await _driftwheel(platform, *replay)
        predictions = await platform.values(f"data.{FLIGHTS.model}.predictions.v1")
        return any(p["id"] == "many-seats" for p in predictions)

    # Validation may hear of the mended declaration a moment after the first replay.
    await eventually("it is predicted after all", predicted)


async def _refused(platform, text):
    records = await platform.records(f"data.{FLIGHTS.model}.events.quarantined.v1")
    return any(text in (record.value or b"") for record in records)


async def _driftwheel(platform, *arguments):
    """Run the command line as a user would."""
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("driftwheel"), "--kafka", platform.kafka, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, trouble = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, trouble.decode()
    return said.decode()


async def test_a_trace_runs_from_the_request_to_the_outcome(platform, flights):
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        "content-type": "application/json",
    }
    label = b'{"id": "traced", "time": "2013-01-01T14:00:00Z", "value": true}'
    later = [event(f"later-{n}").replace(b"2013-01-01", b"2013-01-05") for n in range(40)]
    async with httpx.AsyncClient() as http:
        url = platform.url("ingest")
        for path, body in (("events", event("traced")), ("labels", label)):
            answer = await http.post(f"{url}/{path}/{FLIGHTS.model}", content=body, headers=headers)
            assert answer.status_code == 202, answer.text
        ndjson = {"content-type": "application/x-ndjson"}
        lines = b"\n".join(later)
        answer = await http.post(f"{url}/events/{FLIGHTS.model}", content=lines, headers=ndjson)
        assert answer.json()["accepted"] == len(later)

    async def traced():
        for kind in ("events", "events.validated", "labels.validated", "predictions", "outcomes"):
            records = await platform.records(f"data.{FLIGHTS.model}.{kind}.v1")
            mine = [r for r in records if b'"traced"' in r.value]
            if not mine or trace_of(mine[0]) != trace:
                return False
        return True

    await eventually("the trace is in every record that follows", traced)


async def test_a_record_beyond_all_proportion_costs_only_itself(platform, flights):
    topic = f"driftwheel.data.{FLIGHTS.model}.events.v1"
    large = event("large", dest="X" * 2_000_000)
    async with platform.producer() as producer:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topic, os.urandom(2_000_000), key=b"k")
    async with platform.producer(compression_type="gzip") as producer:
        await producer.send_and_wait(topic, large, key=b"k")
        await producer.send_and_wait(topic, event("after-large"), key=b"k")

    async def refused_and_passed():
        predictions = await platform.values(f"data.{FLIGHTS.model}.predictions.v1")
        if not any(p["id"] == "after-large" for p in predictions):
            return False
        records = await platform.records(f"data.{FLIGHTS.model}.events.quarantined.v1")
        reasons = [dict(r.headers)["quarantine-reason"] for r in records]
        return any(b"2,000," in reason and b"bytes" in reason for reason in reasons)

    await eventually("it is refused with its size, and the next is predicted", refused_and_passed)


async def test_ingest_refuses_with_the_field_and_the_reason(platform, flights):
    async with httpx.AsyncClient() as http:
        url = f"{platform.url('ingest')}/events/{FLIGHTS.model}"
        json_ = {"content-type": "application/json"}
        bad = await http.post(url, content=event("x", seats="many"), headers=json_)
        assert bad.status_code == 422
        assert "seats" in bad.text
        large = await http.post(url, content=b" " * 2_000_000, headers=json_)
        assert large.status_code == 413
        other = await http.post(url, content=b"<a/>", headers={"content-type": "text/xml"})
        assert other.status_code == 415
        nobody = await http.post(
            f"{platform.url('ingest')}/events/nobody", content=b"{}", headers=json_
        )
        assert nobody.status_code == 404
        assert FLIGHTS.model in nobody.text


async def test_another_task_type_runs_on_the_same_platform_untouched(platform):
    ground = attached_ground(platform.folder)
    days = temperatures(date(2013, 1, 1), date(2013, 3, 20))
    async with Client(kafka=ground.kafka, prefix=ground.prefix) as client:
        await client.apply(Declaration(EXAMPLES / "temperature" / "declaration.yaml").content)
        await play(client, TEMPERATURE, days, 4, Progress())

    async def promoted():
        entries = await platform.values("registry.recorded.v1")
        mine = [e for e in entries if e["model"] == TEMPERATURE]
        return [
            e for e in mine if e["fact"]["kind"] == "promoted" and e["fact"]["version"] != "0.0.0"
        ]

    await eventually("a trained model beats the constant and is promoted", promoted, 120)
    outcomes = await platform.values(f"data.{TEMPERATURE}.outcomes.v1")
    await _one_trace_from_the_decision_to_the_release(platform, (await promoted())[0])
    labelled = [o for o in outcomes if o["status"] == "labelled"]
    assert len(labelled) > 3000
    assert all(abs(o["loss"] - abs(o["score"] - o["label"])) < 1e-9 for o in labelled)


async def _one_trace_from_the_decision_to_the_release(platform, promotion):
    promoted = await _record(platform, "registry.recorded", promotion["event_id"])
    trained = await _record(platform, "model.trained", json.loads(promoted.value)["cause"])
    decided = await _record(platform, "training.decided", json.loads(trained.value)["cause"])
    (released,) = [
        record
        for record in await platform.records("release.changed.v1")
        if json.loads(record.value)["plan"]["plan_id"] == promotion["event_id"]
    ]
    assert len({trace_of(record) for record in (decided, trained, promoted, released)}) == 1


async def _record(platform, subject, event_id):
    records = await platform.records(f"{subject}.v1")
    return next(r for r in records if json.loads(r.value)["event_id"] == event_id)


def trace_of(record):
    """Read the trace id, the second of four parts."""
    return dict(record.headers)["traceparent"].decode().split("-")[1]

"""The client, the command line and ingest on a real Kafka with a real registry."""

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import httpx
import pytest
import yaml
from aiokafka import AIOKafkaConsumer
from typer.testing import CliRunner

from driftwheel import (
    Client,
    Invalid,
    NoAnswer,
    NotAcknowledged,
    NotFound,
    Prediction,
    Record,
    Refused,
    SyncClient,
)
from driftwheel.cli import app as commands
from services.ingest.app import build as build_ingest
from services.ingest.settings import Settings as IngestSettings
from services.registry.app import build as build_registry
from services.registry.settings import Settings as RegistrySettings
from tests.polling import until

DECLARATION = {
    "apiVersion": "driftwheel/v1",
    "kind": "Model",
    "metadata": {"name": "delay"},
    "spec": {
        "task": "binary",
        "features": {
            "carrier": {"type": "category"},
            "minute": {"type": "int", "min": 0, "max": 1439},
        },
        "label": {"name": "late", "horizon": "36h"},
    },
}
TIME = "2013-06-13T14:45:00Z"


def event(number: int) -> dict:
    return {"id": f"e{number}", "time": TIME, "features": {"carrier": "UA", "minute": number}}


def prediction(number: int) -> Record:
    content = event(number) | {
        "model": "delay",
        "version": "0.0.0",
        "score": 0.25,
        "decision": False,
        "plan": "p",
        "role": "stable",
        "shadow": None,
    }
    return Record(json.dumps(content).encode(), f"e{number}".encode())


@asynccontextmanager
async def serving(app):
    """Run a service in this process until it is ready, and stop it after the body."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            deadline = time.monotonic() + 30
            while (answer := await http.get("/readyz")).status_code != 200:
                assert time.monotonic() < deadline, answer.text
                await asyncio.sleep(0.05)
            yield http


@pytest.fixture
async def registry(real, names):
    settings = RegistrySettings(kafka=real.kafka.address, prefix=names.prefix, partitions=2)
    async with serving(build_registry(settings)) as http:
        yield http


@pytest.fixture
async def client(real, names):
    async with Client(kafka=real.kafka.address, prefix=names.prefix) as connected:
        yield connected


@pytest.fixture
def command(real, names):
    """Run the command line as a user would, beside the test's own loop."""

    async def run(*arguments):
        connection = ("--kafka", real.kafka.address, "--prefix", names.prefix)
        return await asyncio.to_thread(CliRunner().invoke, commands, [*connection, *arguments])

    return run


async def test_a_model_is_declared_fed_and_read(registry, client):
    at = datetime(2013, 1, 1, tzinfo=UTC)
    answer = await client.apply(DECLARATION, at=at)
    assert (answer.kind, answer.revision) == ("declared", 1)

    in_force = await declared(client)
    assert in_force["spec"]["metric"] == "log_loss"

    raw = b'{"id": "e2",  "time": "?"}'
    given = Record(b"\xff garbage", b"N1", (("traceparent", b"00-0-0-01"),))
    sent = await client.publish("delay", [event(1), raw, raw.decode(), b"\xff\xfe", given])
    assert sent == 5
    by_key = {r.key: r async for r in client.records("delay", "events")}
    assert json.loads(by_key[b"e1"].value) == event(1)
    assert by_key[b"e2"].value == raw
    assert by_key[None].value == b"\xff\xfe"
    assert by_key[b"N1"].headers == (("traceparent", b"00-0-0-01"),)

    label = {"id": "e1", "time": TIME, "value": True}
    await client.publish_labels("delay", [label], key=lambda _: "N1")
    (record,) = [r async for r in client.records("delay", "labels")]
    assert (record.key, json.loads(record.value)) == (b"N1", label)


async def declared(client):
    """Wait until the registry has told the declaration on."""

    async def found():
        with suppress(NotFound):
            return await client.declaration("delay")

    return await until(found)


async def test_refusals_come_back_with_their_fields(registry, client):
    broken = json.loads(json.dumps(DECLARATION))
    broken["spec"]["features"]["minute"]["type"] = "date"
    del broken["spec"]["label"]
    with pytest.raises(Refused) as caught:
        await client.apply(broken)
    assert dict(caught.value.answer.faults)["spec.label"] == "is required"

    with pytest.raises(Refused, match="nothing"):
        await client.command("nothing", {"kind": "train"})
    with pytest.raises(Invalid, match=r"metadata\.name"):
        await client.apply({"spec": {}})

    await client.apply(DECLARATION)
    with pytest.raises(Refused, match="revision"):
        await client.command("delay", {"kind": "train"}, expected_revision=0)


async def test_what_cannot_be_published_is_told(registry, client):
    await client.apply(DECLARATION)
    with pytest.raises(NotFound, match=r"no topic .*dealy.*delay.*driftwheel apply"):
        await client.publish("dealy", [event(1)])
    with pytest.raises(NotFound, match="delay"):
        await client.declaration("dealy")
    with pytest.raises(Invalid, match="2,000,002 bytes"):
        await client.publish("delay", [Record(b"x" * 2_000_000, b"e1")])
    with pytest.raises(Invalid, match="'e1'"):
        await client.publish("delay", [event(1) | {"features": {"minute": float("nan")}}])
    assert [r async for r in client.records("delay", "events")] == []


async def test_many_events_keep_their_order_per_key(registry, client):
    await client.apply(DECLARATION)
    numbers = range(12_000)
    keys = [f"k{number % 7}" for number in numbers]
    events = (event(number) | {"entity": key} for number, key in zip(numbers, keys, strict=True))
    assert await client.publish("delay", events, key=lambda e: e["entity"]) == len(numbers)
    seen: dict[bytes, list[int]] = {}
    async for record in client.records("delay", "events"):
        content = json.loads(record.value)
        seen.setdefault(record.key, []).append(content["features"]["minute"])
    assert seen == {
        key.encode(): [n for n in numbers if keys[n] == key] for key in sorted(set(keys))
    }


async def test_predictions_that_come_after_entering_are_not_missed(registry, client):
    await client.apply(DECLARATION)
    topic = client.endpoints.data("delay", "predictions")
    await client.send(topic, [prediction(1)])
    async with client.predictions("delay") as predictions:
        await client.send(topic, [prediction(2)])
        async for found in predictions:
            assert isinstance(found, Prediction)
            assert (found.id, found.score, found.time) == ("e2", 0.25, datetime.fromisoformat(TIME))
            break
    everything = client.predictions("delay", from_beginning=True, follow=False)
    assert sorted([p.id async for p in everything]) == ["e1", "e2"]


async def test_the_synchronous_client_does_the_same(real, names, registry, client):
    await client.apply(DECLARATION)
    topic = client.endpoints.data("delay", "predictions")

    def use() -> list[str]:
        with SyncClient(kafka=real.kafka.address, prefix=names.prefix) as sync:
            assert sync.publish("delay", (event(number) for number in range(3))) == 3
            assert sync.publish_labels("delay", [{"id": "e1", "time": TIME, "value": True}]) == 1
            new = sync.predictions("delay")
            asyncio.run_coroutine_threadsafe(
                client.send(topic, [prediction(n) for n in range(3)]), loop
            ).result(20)
            found = {next(new).id for _ in range(3)}
            new.close()
            old = sync.predictions("delay", from_beginning=True, follow=False)
            assert {p.id for p in old} == found
            assert list(old) == []
            with sync.outcomes("delay"):
                pass
            with pytest.raises(Refused):
                sync.command("nothing", {"kind": "train"})
            return sorted(found)

    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(use) == ["e0", "e1", "e2"]


async def test_without_a_registry_the_command_ends_with_advice(real, names):
    async with Client(kafka=real.kafka.address, prefix=names.prefix, deadline_s=1) as client:
        with pytest.raises(NoAnswer, match="no answer from the registry within 1 s: is it running"):
            await client.apply(DECLARATION)


async def test_kafka_that_stops_answering_is_an_error_that_can_be_repeated(registry, client):
    await client.apply(DECLARATION)
    await client.publish("delay", [event(1)])
    writer = client._writer
    writer.deadline_s = 0.0001
    with pytest.raises(NotAcknowledged, match="Publish the same again"):
        await client.publish("delay", [event(2)])
    writer.deadline_s = 30
    assert await client.publish("delay", [event(2)]) == 1


async def test_the_command_line_from_declaration_to_decisions(registry, command, tmp_path):
    file = tmp_path / "delay.yaml"
    file.write_text(yaml.safe_dump(DECLARATION))
    applied = await command("apply", "-f", str(file))
    assert (applied.exit_code, applied.stderr) == (0, "")
    assert "delay is declared, revision 1" in applied.stdout

    file.write_text(yaml.safe_dump(DECLARATION | {"kind": "Modell"}))
    refused = await command("apply", "-f", str(file))
    assert refused.exit_code == 1
    assert "delay.yaml:2: kind: " in refused.stderr

    described = await command("describe", "delay")
    assert yaml.safe_load(described.stdout)["spec"]["retraining"]["cooldown"] == "1w"

    listed = await command("models", "list", "--json")
    (model,) = map(json.loads, listed.stdout.splitlines())
    assert (model["model"], model["champion"]) == ("delay", "0.0.0")
    shown = await command("models", "show", "delay")
    assert "0.0.0" in shown.stdout

    trained = await command("models", "train", "delay", "--reason", "because")
    assert "delay: requested" in trained.stdout
    back = await command("models", "rollback", "delay")
    assert (back.exit_code, back.stdout) == (1, "")

    log = await command("models", "log", "delay", "--json")
    kinds = [json.loads(line)["fact"]["kind"] for line in log.stdout.splitlines()]
    assert kinds == ["declared", "promoted", "requested", "rejected"]
    words = await command("decisions", "delay")
    assert "training requested by " in words.stdout
    assert ": because" in words.stdout
    assert len(words.stdout.splitlines()) == 4
    followed = await command("tail", "delay", "decisions", "--from-beginning", "-n", "2", "--json")
    assert len(followed.stdout.splitlines()) == 2

    status = await command("status", "--json")
    found = json.loads(status.stdout)
    assert status.exit_code == 0
    assert [m["champion"] for m in found["models"]] == ["0.0.0"]
    assert any(group.endswith("registry") for group in found["lag"])


async def test_bad_rows_of_a_file_are_reported(registry, client, command, tmp_path):
    await client.apply(DECLARATION)
    await declared(client)
    file = tmp_path / "flights.csv"
    file.write_text(
        "id,time,carrier,minute,gate\n"
        f"e1,{TIME},UA,5,A\n"
        f"e2,{TIME},UA,late,A\n"
        f"e3,{TIME},UA\n"
        f"e4,{TIME},DL,6,A\n"
    )
    result = await command("publish", str(file), "-m", "delay", "--rate", "1000")
    assert result.exit_code == 1
    assert "2 events published to delay, 2 rows refused." in result.stdout
    assert "flights.csv:3: minute: must be a whole number, not 'late'" in result.stderr
    assert "flights.csv:4: has 3 cells for 5 columns" in result.stderr
    assert "Not sent, because not declared: gate" in result.stderr

    tailed = await command("tail", "delay", "events", "--from-beginning", "-n", "2", "--json")
    assert {json.loads(line)["id"] for line in tailed.stdout.splitlines()} == {"e1", "e4"}

    labels = tmp_path / "labels.ndjson"
    labels.write_text(json.dumps({"id": "e1", "time": TIME, "value": True}) + "\n")
    result = await command("publish", str(labels), "-m", "delay", "--labels", "--json")
    assert json.loads(result.stdout) == {"model": "delay", "labels": 1, "refused": 0}


async def test_quarantine_is_listed_shown_and_replayed_once(registry, client, command):
    await client.apply(DECLARATION)
    await declared(client)
    events = client.endpoints.data("delay", "events")
    about = {
        "quarantine-topic": events,
        "quarantine-partition": "0",
        "quarantine-offset": "0",
        "quarantine-reason": "minute must be a number",
        "quarantine-fields": "features.minute",
        "quarantine-schema": "d",
        "quarantine-time": TIME,
    }
    headers = tuple((name, text.encode()) for name, text in about.items())
    stranger = (("quarantine-topic", b"elsewhere"),)
    await client.send(
        client.endpoints.data("delay", "events.quarantined"),
        [
            Record(b"\xff\x00", b"k", headers),
            Record(None, b"k", headers),
            Record(b"{}", b"k", stranger),
        ],
    )
    listed = await command("quarantine", "list", "delay", "--json")
    first, empty, strange = (json.loads(line) for line in listed.stdout.splitlines())
    assert (first["value"], empty["value"], strange["topic"]) == (
        {"base64": "/wA="},
        None,
        "elsewhere",
    )
    counted = await command("quarantine", "list", "delay", "--field", "features")
    assert "2      features.minute  minute must be a number" in counted.stdout
    shown = await command("quarantine", "show", "delay", first["place"])
    assert "minute must be a number" in shown.stdout
    assert (await command("quarantine", "show", "delay", "0:999")).exit_code == 1

    dry = await command("quarantine", "replay", "delay", "--dry-run")
    assert "1 records would be replayed" in dry.stdout
    assert [r async for r in client.records("delay", "events")] == []
    done = await command("quarantine", "replay", "delay")
    assert "1 records replayed" in done.stdout
    assert "elsewhere" in done.stderr
    assert "holds no bytes" in done.stderr
    (back,) = [r async for r in client.records("delay", "events")]
    assert (back.value, back.key) == (b"\xff\x00", b"k")
    assert dict(back.headers)["quarantine-replayed"] == first["place"].encode()

    again = await command("quarantine", "replay", "delay", "--json")
    assert json.loads(again.stdout) == {
        "model": "delay",
        "replayed": 0,
        "skipped": 1,
        "dry_run": False,
    }
    forced = await command("quarantine", "replay", "delay", "--offset", first["place"], "--again")
    assert "1 records replayed" in forced.stdout


async def test_ingest_answers_when_kafka_has_it(real, names, registry, client):
    await client.apply(DECLARATION)
    await declared(client)
    settings = IngestSettings(kafka=real.kafka.address, prefix=names.prefix)
    async with serving(build_ingest(settings)) as http:
        lines = "\n".join(json.dumps(event(number)) for number in range(50))
        kind = {"content-type": "application/x-ndjson"}
        answers = await asyncio.gather(
            *(http.post("/events/delay", content=lines, headers=kind) for _ in range(10))
        )
        assert [answer.json() for answer in answers] == [{"accepted": 50}] * 10
        unknown = await http.post("/events/dealy", content=lines, headers=kind)
        assert (unknown.status_code, unknown.json()["models"]) == (404, ["delay"])
    consumer = AIOKafkaConsumer(bootstrap_servers=real.kafka.address)
    await consumer.start()
    try:
        topic = client.endpoints.data("delay", "events")
        records = [r async for r in client.records("delay", "events")]
        assert topic in await consumer.topics()
    finally:
        await consumer.stop()
    assert len(records) == 500
    assert {r.key for r in records} == {f"e{number}".encode() for number in range(50)}

"""What a sender gets for what it sends."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from contracts.declaration import Declaration
from contracts.registry import MODEL_DECLARED, ModelDeclared
from services.ingest.app import build, parts
from services.ingest.handlers import Declared
from services.ingest.settings import Settings
from shared.errors import Transient
from shared.kafka import Block, Message
from tests.doubles import MemoryKafka, telemetry

DECLARATION = {
    "apiVersion": "driftwheel/v1",
    "kind": "Model",
    "metadata": {"name": "delay"},
    "spec": {
        "task": "binary",
        "features": {
            "carrier": {"type": "category", "categories": ["UA", "DL"]},
            "minute": {"type": "int", "min": 0, "max": 1439},
            "age": {"type": "float", "nullable": True},
        },
        "label": {"name": "late", "horizon": "36h"},
    },
}
EVENT = b'{"id": "e1",  "time": "2013-06-13T14:45:00Z", "features": {"carrier": "UA", "minute": 5}}'
LABEL = b'{"id": "e1", "time": "2013-06-13T19:02:00Z", "value": true}'
EVENTS, LABELS = "test.data.delay.events.v1", "test.data.delay.labels.v1"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
CLOUDEVENT = {"content-type": "application/cloudevents+json"}


class Stuck:
    """A Kafka that takes messages and never acknowledges."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def publish(self, messages: Sequence[Message], blocks: Sequence[Block] = ()) -> None:
        self.entered.set()
        await self.release.wait()


def event(**features: object) -> bytes:
    content = {"carrier": "UA", "minute": 5} | features
    return json.dumps({"id": "e1", "time": "2013-06-13T14:45:00Z", "features": content}).encode()


@pytest.fixture
def kafka() -> MemoryKafka:
    return MemoryKafka()


@asynccontextmanager
async def ingest(kafka, publisher=None, **knobs):
    settings, declared = Settings(prefix="test.", **knobs), Declared()
    kafka.attach(*parts(settings, telemetry(), publisher=kafka, declared=declared))
    declaration = Declaration.model_validate_json(json.dumps(DECLARATION))
    kafka.tell(
        MODEL_DECLARED,
        ModelDeclared.caused_by(
            "test",
            model="delay",
            at=datetime(2013, 1, 1, tzinfo=UTC),
            revision=1,
            digest=declaration.digest(),
            declaration=declaration,
        ),
    )
    await kafka.settle()
    app = build(settings, publisher=publisher or kafka, declared=declared)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        yield client


async def test_an_event_is_published_byte_for_byte_under_its_id(kafka):
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", content=EVENT, headers=JSON)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (record,) = kafka.records(EVENTS)
    assert (record.key, record.value) == (b"e1", EVENT)


async def test_a_label_goes_to_the_labels(kafka):
    async with ingest(kafka) as client:
        answer = await client.post("/labels/delay", content=LABEL, headers=JSON)
    assert answer.status_code == 202
    assert kafka.values(LABELS) == [LABEL]


async def test_the_entity_is_the_record_key(kafka):
    async with ingest(kafka) as client:
        await client.post("/events/delay", content=EVENT, headers=JSON | {"x-entity-key": "N14228"})
    assert kafka.records(EVENTS)[0].key == b"N14228"


async def test_every_line_is_published_as_sent(kafka):
    second = EVENT.replace(b"e1", b"e2")
    async with ingest(kafka) as client:
        answer = await client.post(
            "/events/delay", content=EVENT + b"\r\n\n" + second, headers=NDJSON
        )
    assert answer.json() == {"accepted": 2}
    assert kafka.values(EVENTS) == [EVENT, second]


async def test_one_bad_line_keeps_the_whole_request_back(kafka):
    async with ingest(kafka) as client:
        answer = await client.post(
            "/events/delay", content=EVENT + b"\n" + event(minute=1500, gate=4), headers=NDJSON
        )
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "line": 2,
            "field": "features.minute",
            "reason": "must be less than or equal to 1439, not 1500",
        },
        {"line": 2, "field": "features.gate", "reason": "is not a known field"},
    ]
    assert not kafka.values(EVENTS)


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (b"\x00\xff\xfe garbage", "", "no valid JSON"),
        (b"", "", "no valid JSON"),
        (b"null", "", "must be an object"),
        (b'{"id": "\xff"}', "", "no valid JSON: invalid unicode"),
        (event(minute="5"), "features.minute", "must be a valid integer, not '5'"),
        (event(minute=5.0), "features.minute", "must be a valid integer"),
        (event(age=float("nan")), "features.age", "must be a finite number, not nan"),
        (event(age=float("inf")), "features.age", "must be a finite number, not inf"),
        (event(carrier="VX"), "features.carrier", "must be 'UA' or 'DL', not 'VX'"),
        (event(carrier=None), "features.carrier", "must be 'UA' or 'DL', not None"),
        (EVENT.replace(b"Z", b""), "time", "timezone"),
        (EVENT.replace(b'"e1"', b'""'), "id", "at least 1 character"),
        (EVENT.replace(b'"id": "e1",', b""), "id", "is required"),
        (LABEL, "features", "is required"),
    ],
)
async def test_what_cannot_be_accepted_is_named(kafka, body, field, reason):
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", content=body, headers=JSON)
    assert answer.status_code == 422
    errors = {error["field"]: error["reason"] for error in answer.json()["errors"]}
    assert reason in errors[field]
    assert not kafka.values(EVENTS)


async def test_an_unknown_model_is_told_which_ones_exist(kafka):
    async with ingest(kafka) as client:
        answer = await client.post("/events/dealy", content=EVENT, headers=JSON)
    assert answer.status_code == 404
    assert answer.json() == {"error": "no model 'dealy' is declared", "models": ["delay"]}


async def test_only_post_is_possible(kafka):
    async with ingest(kafka) as client:
        answer = await client.get("/events/delay")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/csv"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_other_content_is_not_taken(kafka, headers):
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", content=EVENT, headers=headers)
    assert answer.status_code == 415


async def test_two_megabytes_are_too_many(kafka):
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", content=b"x" * 2_000_000, headers=JSON)
    assert answer.status_code == 413
    assert "950,000" in answer.json()["error"]


async def test_a_body_is_cut_off_as_soon_as_it_is_too_long(kafka):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000

    async with ingest(kafka, max_body=10_000) as client:
        answer = await client.post("/events/delay", content=endless(), headers=JSON)
    assert answer.status_code == 413
    assert sent <= 12


async def test_one_line_too_long_for_kafka_keeps_the_request_back(kafka):
    async with ingest(kafka) as client:
        answer = await client.post(
            "/events/delay", content=EVENT + b"\n" + b"x" * 1_000_000, headers=NDJSON
        )
    assert answer.status_code == 413
    assert "line 2" in answer.json()["error"]
    assert not kafka.values(EVENTS)


async def test_no_acknowledgement_is_no_acceptance(kafka):
    kafka.failures.append(Transient("broker gone"))
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", content=EVENT, headers=JSON)
        again = await client.post("/events/delay", content=EVENT, headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert again.status_code == 202


async def test_an_acknowledgement_that_does_not_come_in_time_is_a_503(kafka):
    async with ingest(kafka, Stuck(), ack_timeout_s=0.02) as client:
        answer = await client.post("/events/delay", content=EVENT, headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_body_that_does_not_come_in_time_is_a_408(kafka):
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with ingest(kafka, body_timeout_s=0.02) as client:
        answer = await client.post("/events/delay", content=stalled(), headers=JSON)
    assert answer.status_code == 408


@pytest.mark.parametrize("knobs", [{"max_requests": 1}, {"max_in_flight": 100}])
async def test_beyond_what_may_be_in_flight_senders_are_asked_to_come_back(kafka, knobs):
    stuck = Stuck()
    async with ingest(kafka, stuck, **knobs) as client:
        first = asyncio.create_task(client.post("/events/delay", content=EVENT, headers=JSON))
        await stuck.entered.wait()
        second = await client.post("/events/delay", content=EVENT, headers=JSON)
        stuck.release.set()
        assert (await first).status_code == 202
        third = await client.post("/events/delay", content=EVENT, headers=JSON)
    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert third.status_code == 202


ENVELOPE = {
    "specversion": "1.0",
    "id": "e7",
    "source": "/gates",
    "type": "flight.scheduled",
    "time": "2013-06-13T14:45:00Z",
}


async def test_a_structured_cloudevent_lends_its_id_and_time(kafka):
    body = ENVELOPE | {"data": {"carrier": "UA", "minute": 5}, "partitionkey": "N1"}
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", json=body, headers=CLOUDEVENT)
    assert answer.status_code == 202
    (record,) = kafka.records(EVENTS)
    assert record.key == b"N1"
    assert json.loads(record.value) == {
        "id": "e7",
        "time": "2013-06-13T14:45:00Z",
        "features": {"carrier": "UA", "minute": 5},
    }
    assert dict(record.headers)["ce_source"] == b"/gates"


async def test_a_whole_event_in_a_structured_cloudevent_keeps_its_own_id(kafka):
    async with ingest(kafka) as client:
        body = ENVELOPE | {"data": json.loads(EVENT)}
        await client.post("/events/delay", json=body, headers=CLOUDEVENT)
    assert json.loads(kafka.values(EVENTS)[0]) == json.loads(EVENT)


async def test_a_whole_event_in_a_binary_cloudevent_stays_byte_for_byte(kafka):
    headers = {f"ce-{name}": value for name, value in ENVELOPE.items()}
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", content=EVENT, headers=JSON | headers)
    assert answer.status_code == 202
    (record,) = kafka.records(EVENTS)
    assert (record.key, record.value) == (b"e1", EVENT)
    assert dict(record.headers)["ce_type"] == b"flight.scheduled"


async def test_a_label_may_come_as_a_cloudevent(kafka):
    body = ENVELOPE | {"data": {"value": False}}
    async with ingest(kafka) as client:
        await client.post("/labels/delay", json=body, headers=CLOUDEVENT)
    assert json.loads(kafka.values(LABELS)[0]) == {
        "id": "e7",
        "time": "2013-06-13T14:45:00Z",
        "value": False,
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": None, "data": {}}, "source"),
        ({"specversion": "0.3", "data": {}}, "specversion"),
        ({"data_base64": "e30="}, "data_base64"),
        ({"partitionkey": "x" * 1001, "data": {}}, "partitionkey"),
        ({}, "data"),
        ({"data": "text"}, "data"),
        ({"data": {"carrier": "UA", "minute": "5"}}, "features.minute"),
    ],
)
async def test_a_broken_cloudevent_is_told_its_attribute(kafka, change, field):
    async with ingest(kafka) as client:
        answer = await client.post("/events/delay", json=ENVELOPE | change, headers=CLOUDEVENT)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert not kafka.values(EVENTS)


TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_the_senders_trace_goes_on(kafka):
    headers = JSON | {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    async with ingest(kafka) as client:
        await client.post("/events/delay", content=EVENT, headers=headers)
    assert TRACE in dict(kafka.records(EVENTS)[0].headers)["traceparent"].decode()


@pytest.mark.parametrize(("ratio", "begun"), [(0.0, False), (1.0, True)])
async def test_a_share_of_the_requests_begins_a_trace(kafka, ratio, begun):
    async with ingest(kafka, trace_ratio=ratio) as client:
        await client.post("/events/delay", content=EVENT, headers=JSON)
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    headers = dict(kafka.records(EVENTS)[0].headers)
    assert ("traceparent" in headers) is begun
    assert not begun or int(headers["traceparent"][-2:], 16) & 1, "the trace is not sampled"


async def test_a_request_is_counted_by_its_answer(kafka):
    async with ingest(kafka) as client:
        await client.get("/labels/delay")
        metrics = (await client.get("/metrics")).text
    assert 'driftwheel_http_requests_total{service="ingest",what="labels 405"}' in metrics

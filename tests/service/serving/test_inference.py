"""Requests for inference, from the body to the prediction on Kafka."""

import asyncio
import json
from datetime import datetime
from importlib.metadata import version

import httpx
import pytest

from contracts.data import prediction_type
from services.serving.ports import Unusable
from shared.errors import Transient
from shared.models import load
from tests.doubles import START_MS
from tests.service.serving.asking import INFER, Asking, answered, rows
from tests.service.serving.world import MODEL, boosted, declaration, linear, plan


@pytest.fixture(autouse=True, params=["asgi", "direct"])
def way(request, monkeypatch):
    """Ask every question both ways."""
    monkeypatch.setattr(Asking, "way", request.param)


@pytest.fixture
async def world(tmp_path):
    world = await Asking(tmp_path).born().started()
    yield world
    await world.outbox.stop()


async def test_an_answer_becomes_a_prediction_of_the_contract(world):
    reply = await world.ask(body=rows(age=(None,), id="r1", parameters={"entity_id": "UA"}))
    assert answered(reply) == {"score": [0.24], "decision": [False]}
    assert (reply.json()["model_name"], reply.json()["model_version"]) == (MODEL, "0.0.0")
    (said,) = await world.told()
    assert said["features"] == {"seats": 149, "age": None}
    assert (said["id"], said["plan"], said["role"]) == ("r1", "plan-0", "stable")
    assert datetime.fromisoformat(said["time"]) == world.now()
    (record,) = world.records
    prediction_type(declaration()).model_validate_json(record.value)
    assert record.key == b"UA"


async def test_it_has_the_same_headers_as_one_that_answers_an_event(world):
    await world.send({"id": "r1", "time": "2023-11-14T12:00:00Z", "features": {"seats": 1}})
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    await world.ask(body=rows(id="r1"), headers={"traceparent": trace})
    await world.told()
    of_event, of_request = (dict(record.headers) for record in world.records)
    assert of_request.pop("traceparent") == trace.encode()
    assert of_event.keys() == of_request.keys()
    assert of_event["ce_id"] == of_request["ce_id"]
    assert world.records[0].key != world.records[1].key == b"r1"


async def test_rows_without_an_id_get_one_that_the_answer_names(world):
    named = (await world.ask(body=rows((1, 2), (3, 4)))).json()["id"]
    again = (await world.ask(body=rows())).json()["id"]
    assert [said["id"] for said in await world.told()] == [f"{named}-0", f"{named}-1", again]


async def test_a_version_by_name_is_a_try_out(world):
    world.promote("1.0.0", linear(1))
    await world.started()
    reply = await world.ask(f"/v2/models/{MODEL}/versions/0.0.0/infer", rows())
    assert answered(reply)["score"] == [0.24]
    assert reply.json()["model_version"] == "0.0.0"
    assert await world.told() == []
    unknown = await world.ask(f"/v2/models/{MODEL}/versions/7.0.0/infer", rows())
    assert unknown.status_code == 404
    assert "7.0.0" in unknown.json()["error"]


async def test_the_plan_in_force_decides_and_a_withdrawn_version_does_not(world):
    world.promote("1.0.0", linear(1), lead_ms=2000)
    await world.started()
    versions = []
    for later in (0, 1999, 1, 0):
        world.kafka.now_ms += later
        versions.append((await world.ask(body=rows())).json()["model_version"])
    assert versions == ["0.0.0", "0.0.0", "1.0.0", "1.0.0"]
    world.release(plan(2, "0.0.0", None, withdrawn="1.0.0"))
    await world.started()
    assert (await world.ask(body=rows())).json()["model_version"] == "0.0.0"


async def test_what_cannot_be_used_leaves_the_decision_with_the_version_before(world):
    world.promote("1.0.0", linear(1))
    world.kafka.now_ms += 10
    world.release(plan(2, "1.0.1", world.artifacts.put({"model.json": b"{}"})), lead_ms=0)
    await world.started()
    assert (await world.ask(body=rows())).json()["model_version"] == "1.0.0"


async def test_several_rows_and_several_classes(tmp_path):
    shares = declaration(
        task="multiclass", classes=["a", "b", "c"], prior=[0.2, 0.5, 0.3], cost=None
    )
    world = await Asking(tmp_path).born(shares).started()
    reply = await world.ask(body=rows((1, 2), (3, 4)))
    assert answered(reply) == {"score": [0.2, 0.5, 0.3] * 2, "decision": ["b", "b"]}
    assert [output["shape"] for output in reply.json()["outputs"]] == [[2, 3], [2]]
    assert [said["score"] for said in await world.told()] == [[0.2, 0.5, 0.3]] * 2


@pytest.mark.parametrize("files", [boosted(), linear(0, seats=1.0)])
async def test_one_row_and_many_are_scored_alike(world, files):
    world.promote("1.0.0", files)
    await world.started()
    given = [(10, 7.5), (590, None), (300, 0.0)]
    many = answered(await world.ask(body=rows(*zip(*given, strict=True))))["score"]
    one = [answered(await world.ask(body=rows((s,), (a,))))["score"][0] for s, a in given]
    expected = load(files).score([{"seats": s, "age": a} for s, a in given]).tolist()
    assert many == one == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (rows(("x",)), "'seats'"),
        (rows((1, 2), (None, 1e999)), "malformed"),
        (rows((2**53 + 1,)), "row 0 is 9007199254740993, above the maximum"),
        (rows((None,)), "not nullable"),
        (rows((1.5,)), "float among the data of type INT64"),
        (rows((1, 2), (1.0,)), "'age'"),
        ({"inputs": rows()["inputs"][1:]}, "'seats' is not there"),
        ({"inputs": [*rows()["inputs"], rows()["inputs"][0]]}, "once"),
        (rows(outputs=[{"name": "margin"}]), "no output 'margin'"),
        (rows(parameters={"durable": "yes"}), "durable"),
        (rows(parameters={"entity_id": 7}), "entity_id"),
        (rows(id="x" * 201), "200"),
    ],
)
async def test_what_is_wrong_is_named(world, body, reason):
    reply = await world.ask(content=json.dumps(body).replace("Infinity", "1e999").encode())
    assert reply.status_code == 400
    assert reason in reply.json()["error"] or reason == "malformed"
    assert await world.told() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", INFER, 405),
        ("POST", "/v2", 405),
        ("GET", "/v2/models", 404),
        ("GET", "/v2/models/nobody", 404),
        ("GET", f"/v2/models/{MODEL}/versions/9.9.9/ready", 404),
        ("POST", "/v2/models/nobody/infer", 404),
    ],
)
async def test_every_error_has_a_body_that_says_why(world, method, path, status):
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://serving") as client:
        reply = await client.request(method, path)
    assert reply.status_code == status
    assert isinstance(reply.json()["error"], str)


async def test_the_server_names_its_version(world):
    told = (await world.ask("/v2")).json()
    assert (told["name"], told["version"]) == ("driftwheel", version("driftwheel"))
    assert "binary_tensor_data" in told["extensions"]


async def test_a_body_is_measured_before_it_is_read(tmp_path):
    world = await Asking(tmp_path, http_max_body=200).born().started()
    assert (await world.ask(body=rows(id="x" * 150))).status_code == 413
    await world.outbox.stop()


async def test_compressed_bodies_are_not_taken(world):
    reply = await world.ask(content=b"x", headers={"content-encoding": "gzip"})
    assert reply.status_code == 415


async def test_a_full_queue_is_said_and_nothing_is_answered(tmp_path):
    world = await Asking(tmp_path, http_queue=2).born().started()
    world.kafka.failures = [Transient("Kafka is away")] * 1000
    assert (await world.ask(body=rows((1, 2), (3, 4)))).status_code == 200
    reply = await world.ask(body=rows())
    assert reply.status_code == 503
    assert "wait for Kafka" in reply.json()["error"]
    world.kafka.failures.clear()
    assert len(await world.told()) == 2


async def test_a_durable_request_is_answered_when_kafka_has_it(world):
    reply = asyncio.create_task(world.ask(body=rows(id="r1", parameters={"durable": True})))
    world.kafka.failures = [Transient("Kafka is away")]
    assert (await reply).status_code == 200
    assert [said["id"] for said in world.predictions] == ["r1"]


async def test_a_durable_request_does_not_wait_for_ever(tmp_path):
    world = await Asking(tmp_path, http_ack_s=0.05).born().started()
    world.kafka.failures = [Transient("Kafka is away")] * 1000
    reply = await world.ask(body=rows(id="r1", parameters={"durable": True}))
    assert reply.status_code == 503
    world.kafka.failures.clear()
    await world.outbox.stop()


async def test_without_any_version_that_can_be_used_it_says_so(tmp_path):
    class Broken:
        def prepare(self, artifact, trial): ...

        async def open(self, artifact, trial):
            raise Unusable("its files are damaged")

    world = Asking(tmp_path, library=Broken())
    world.kafka.now_ms = START_MS - 10
    world.declare()
    world.release(plan(0, "1.0.0", "a" * 64), lead_ms=0)
    world.kafka.now_ms = START_MS
    await world.started()
    for path in (f"/v2/models/{MODEL}/ready", f"/v2/models/{MODEL}/versions/1.0.0/ready"):
        reply = await world.ask(path)
        assert reply.status_code == 503
        assert "damaged" in reply.json()["error"]
    await world.outbox.stop()


async def test_a_score_that_is_no_number_is_no_answer(tmp_path):
    value = declaration(task="regression", prior=0.0, cost=None)
    world = await Asking(tmp_path).born(value).started()
    document = json.loads(linear(1.0, task="regression")["model.json"])
    document["weights"][1] = 1.7e308
    world.promote("1.0.0", {"model.json": json.dumps(document).encode()})
    await world.started()
    reply = await world.ask(body=rows((2**50,)))
    assert reply.status_code == 500
    assert await world.told() == []

"""Inference over HTTP by the service as a process, on a real Kafka."""

import json

import httpx

from contracts.data import PREDICTIONS, prediction_type
from shared.artifacts import Artifacts
from tests.integration.serving_process import read, serving_process, told
from tests.service.serving.world import MODEL, World, boosted, declaration, plan


async def test_a_request_becomes_a_prediction_on_kafka(real, names, tmp_path):
    kafka, _ = real
    artifact = Artifacts(tmp_path / "artifacts").put(boosted())
    await told(
        kafka,
        names,
        tmp_path,
        World.declare,
        lambda w: w.release(plan(1, "1.0.0", artifact), lead_ms=0),
    )
    with serving_process(kafka, names, tmp_path) as serving:
        serving.wait_until_ready(f"/v2/models/{MODEL}/ready")
        body = {
            "id": "r1",
            "parameters": {"entity_id": "UA"},
            "inputs": [
                {"name": "seats", "datatype": "INT64", "shape": [2, 1], "data": [149, 20]},
                {"name": "age", "datatype": "FP64", "shape": [2], "data": [None, 7.5]},
            ],
        }
        async with httpx.AsyncClient(base_url=serving.url) as client:
            reply = await client.post(f"/v2/models/{MODEL}/infer", json=body)
        assert reply.status_code == 200, reply.text
        records = await read(kafka, names.data(PREDICTIONS, MODEL), 2)
        serving.terminate()
        assert serving.process.wait(10) == 0
    answered = {output["name"]: output["data"] for output in reply.json()["outputs"]}
    said = [prediction_type(declaration()).model_validate_json(r.value) for r in records]
    assert [p.id for p in said] == ["r1-0", "r1-1"]
    assert [p.score for p in said] == answered["score"]
    assert [p.decision for p in said] == answered["decision"]
    assert json.loads(records[0].value)["features"] == {"seats": 149, "age": None}
    assert {r.key for r in records} == {b"UA"}

"""The read API."""

import httpx
import pytest
from starlette.applications import Starlette

from tests.service.registry.house import House, command, declare, evaluation, trained


@pytest.fixture
async def client():
    house = House()
    await house.hear(declare(), trained("t1"), trained("t2", evaluation("0.0.1", 0.01)))
    await house.hear(command("x", {"kind": "train"}, model="nobody"))
    transport = httpx.ASGITransport(Starlette(routes=house.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://registry") as client:
        yield client


async def test_models(client):
    assert (await client.get("/models")).json() == {
        "models": [
            {
                "model": "flight-delay",
                "revision": 7,
                "champion": "0.0.1",
                "versions": ["0.0.0", "0.0.1", "0.0.2"],
            }
        ]
    }


async def test_a_model(client):
    body = (await client.get("/models/flight-delay")).json()
    assert body["champion"] == "0.0.1"
    assert body["declaration"]["spec"]["retraining"]["cooldown"] == "1w"
    first, second = body["versions"]
    assert (first["version"], first["champion"], first["gate"]["passed"]) == ("0.0.1", True, True)
    assert (second["champion"], second["gate"]["passed"]) == (False, False)
    assert second["evaluation"]["rows"] == 11_204


async def test_how_it_stood(client):
    body = (await client.get("/models/flight-delay/as-of?revision=2")).json()
    assert (body["revision"], body["champion"], body["versions"]) == (2, "0.0.0", [])


async def test_the_log(client):
    entries = (await client.get("/models/flight-delay/log")).json()["entries"]
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4, 5, 6, 7]
    assert (await client.get("/models/nobody/log")).json()["entries"][0]["fact"] == {
        "kind": "rejected"
    }


@pytest.mark.parametrize("path", ["/models/none", "/models/nobody", "/models/none/log"])
async def test_an_unknown_model_is_answered_with_the_known_ones(client, path):
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["models"] == ["flight-delay"]


@pytest.mark.parametrize("query", ["", "?revision=0", "?revision=8", "?revision=x", "?revision=-1"])
async def test_a_revision_that_never_was(client, query):
    answer = await client.get(f"/models/flight-delay/as-of{query}")
    assert answer.status_code == 422
    assert "from 1 to 7" in answer.json()["error"]

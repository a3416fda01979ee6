"""GET /models."""

import httpx

from services.serving.app import assembled
from services.serving.settings import Settings
from shared.artifacts import Artifacts
from tests.doubles import MemoryKafka, telemetry
from tests.service.serving.world import World, event, linear, plan


async def test_it_shows_who_decides_and_what_is_wrong(tmp_path):
    world = World(tmp_path).born()
    world.promote("1.0.0", linear(1))
    world.kafka.now_ms += 10_000
    broken = world.artifacts.put({"model.json": b"{}"})
    world.release(plan(2, "1.0.1", broken), lead_ms=0)
    await world.send(event(1))
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://serving") as client:
        page = (await client.get("/models")).json()["flight-delay"]
    assert page["champion"] == "1.0.1"
    assert (page["version"], page["plan"]) == ("1.0.0", "plan-1")
    states = [(v["version"], v["loaded"], v["trouble"] is None) for v in page["versions"]]
    assert states == [("0.0.0", True, True), ("1.0.0", True, True), ("1.0.1", False, False)]
    assert world.predictions[0]["version"] == "1.0.0"


async def test_without_models_it_is_empty(tmp_path):
    serving = assembled(Settings(state=tmp_path), telemetry(), publisher=MemoryKafka())
    transport = httpx.ASGITransport(serving.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://serving") as client:
        assert (await client.get("/models")).json() == {}
    assert not Artifacts(tmp_path / "artifacts").root.exists()

"""A serving service on an in-memory Kafka that is asked over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx

from services.serving.ports import Unknown, Unusable
from shared.errors import Transient
from tests.service.serving.wire import OverWire
from tests.service.serving.world import MODEL, World

INFER = f"/v2/models/{MODEL}/infer"


class Asking(World):
    """A world that is asked over HTTP; its clock stands with its Kafka's."""

    way: Literal["asgi", "direct"] = "asgi"

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, clock=self.now, **options)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.kafka.now_ms / 1000, UTC)

    async def started(self) -> Asking:
        for table, positions in self.kafka._tables:
            self.kafka._feed(table, positions)
        await self.outbox.start()
        for line in self.inference.releases.timelines().values():
            for artifact in {known.artifact for known in line.plans} - {None}:
                with contextlib.suppress(Unusable):
                    await self.inference.library.open(artifact or "", [])
        return self

    async def ask(self, path: str = INFER, body: Any = None, **options: Any) -> httpx.Response:
        """Ask; directly where that is possible at once, and it mostly is after the first time."""
        transport: httpx.AsyncBaseTransport = httpx.ASGITransport(self.app)
        if self.way == "direct":
            transport = OverWire(self.app, self.direct)
            with contextlib.suppress(Transient, Unknown):
                await self.inference.ready(MODEL, None)
        async with httpx.AsyncClient(transport=transport, base_url="http://serving") as client:
            if body is None and not options:
                return await client.get(path)
            return await client.post(path, json=body, **options)

    async def told(self) -> list[dict[str, Any]]:
        """Stop publishing; answer what was."""
        await self.outbox.stop()
        return self.predictions


def rows(seats: Sequence[Any] = (149,), age: Sequence[Any] = (7.5,), **said: Any) -> dict[str, Any]:
    """Write a request."""
    seats_tensor = {"name": "seats", "datatype": "INT64", "shape": [len(seats)], "data": [*seats]}
    age_tensor = {"name": "age", "datatype": "FP64", "shape": [len(age)], "data": [*age]}
    return {"inputs": [seats_tensor, age_tensor], **said}


def answered(reply: httpx.Response) -> dict[str, Any]:
    """Read an answer: output to data."""
    assert reply.status_code == 200, reply.text
    return {output["name"]: output["data"] for output in reply.json()["outputs"]}

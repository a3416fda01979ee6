"""A service: its parts started in order, health, metrics, and an end that is an end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from shared.telemetry import Telemetry

STOP_DEADLINE_S = 40.0


class Part(Protocol):
    """Something that lives as long as the service: a producer, a table, a consumer."""

    async def start(self) -> None:
        """Begin; may be called again when it failed because the world was not ready."""
        ...

    async def stop(self) -> None:
        """End, with everything accepted so far brought to an end."""
        ...

    def unready(self) -> str | None:
        """Say why it cannot work now; None when it can."""
        ...


class Service:
    """Starts parts in order, in the background, until the world lets it; stops them in reverse."""

    def __init__(self, telemetry: Telemetry, parts: Sequence[Part]) -> None:
        self.telemetry, self.parts = telemetry, parts
        self.started = 0
        self.trouble = "starting"

    def unready(self) -> str | None:
        """Say why the service cannot work now; None when it can."""
        if self.started < len(self.parts):
            return self.trouble
        reasons = [reason for part in self.parts if (reason := part.unready())]
        return "; ".join(reasons) or None

    async def run(self) -> None:
        """Start every part, as often as it takes."""
        pause = 0.1
        while self.started < len(self.parts):
            part = self.parts[self.started]
            try:
                await part.start()
                self.started += 1
                pause = 0.1
            except Exception as error:
                self.trouble = f"{type(part).__name__} cannot start: {error!r}"
                self.telemetry.log.warning(self.trouble)
                with contextlib.suppress(Exception):
                    await part.stop()
                await asyncio.sleep(pause)
                pause = min(2 * pause, 3.0)
        self.telemetry.log.info("ready")

    async def stop(self) -> None:
        """Stop what was started, last first; one that cannot stop does not keep the others."""
        for part in reversed(self.parts[: self.started]):
            try:
                await part.stop()
            except Exception:
                self.telemetry.log.exception("%s did not stop cleanly", type(part).__name__)
        self.telemetry.log.info("stopped")


def application(
    telemetry: Telemetry, parts: Sequence[Part], routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """Wrap parts and routes into the ASGI application that uvicorn runs.

    Adds `/livez` (the process answers), `/readyz` (every part works, else 503 and why) and
    `/metrics` (Prometheus).
    """
    service = Service(telemetry, parts)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(service.run())
        yield
        deadline = threading.Timer(STOP_DEADLINE_S, os._exit, [1])
        deadline.daemon = True
        deadline.start()
        running.cancel()
        await service.stop()
        deadline.cancel()

    async def livez(_: Request) -> Response:
        return JSONResponse({"service": telemetry.service, "live": True})

    async def readyz(_: Request) -> Response:
        reason = service.unready()
        body = {"service": telemetry.service, "ready": reason is None, "reason": reason}
        return JSONResponse(body, 200 if reason is None else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    health = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=[*health, *routes], lifespan=lifespan)

"""A service: its parts started in order, health, metrics, and an end that is an end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from types import FrameType
from typing import Protocol, runtime_checkable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from shared.telemetry import Telemetry, flush

# From SIGTERM on; Docker kills after 10 s, Kubernetes after 30 s.
GRACE_S = 8.0
LONGEST_PAUSE_S = 0.5


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


@runtime_checkable
class Mortal(Protocol):
    """A part that may come into a state that only a new process ends."""

    def dead(self) -> str | None:
        """Say what has ended or stands still; None while it lives, or waits for a reason."""
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

    def dead(self) -> str | None:
        """Say why only a new process helps; None while there is progress."""
        mortal = (part for part in self.parts[: self.started] if isinstance(part, Mortal))
        return "; ".join(reason for part in mortal if (reason := part.dead())) or None

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
                await self._stop(part)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        # Batches are columns: searching them for cycles finds none, and costs a tenth of the time.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        self.telemetry.log.info("ready")

    async def stop(self) -> bool:
        """Stop what was started, last first; one that cannot stop does not keep the others.

        Returns:
            Whether all of them stopped cleanly.

        """
        clean = [await self._stop(part) for part in reversed(self.parts[: self.started])]
        self.telemetry.log.info("stopped")
        return all(clean)

    async def _stop(self, part: Part) -> bool:
        try:
            await part.stop()
        except Exception:
            self.telemetry.log.exception("%s did not stop cleanly", type(part).__name__)
            return False
        return True


class End:
    """The end of the process that SIGTERM begins: clean and 0, or hard and 1 after the grace."""

    def __init__(self, grace_s: float) -> None:
        self.deadline = threading.Timer(grace_s, os._exit, [1])
        self.deadline.daemon = True
        self.asked = False

    def listen(self) -> None:
        """Hear SIGTERM before the server does, which closes its connections and then the parts."""
        server = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is threading.main_thread() and callable(server):
            signal.signal(signal.SIGTERM, self._before(server))

    def come(self, *, clean: bool) -> None:
        """End the process if it was asked to; the server would end it as killed by the signal."""
        if self.asked:
            flush()
            os._exit(0 if clean else 1)

    def _before(
        self, server: Callable[[int, FrameType | None], object]
    ) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            if not self.asked:
                self.asked = True
                self.deadline.start()
            server(number, frame)

        return handle


def application(
    telemetry: Telemetry,
    parts: Sequence[Part],
    routes: Sequence[BaseRoute] = (),
    grace_s: float = GRACE_S,
) -> Starlette:
    """Wrap parts and routes into the ASGI application that uvicorn runs.

    SIGTERM drains it; what is not at its end `grace_s` seconds later is ended.

    Adds `/livez` (there is progress or a declared wait, else 503: start it anew), `/readyz`
    (every part works, else 503 and why) and `/metrics` (Prometheus).
    """
    service, end = Service(telemetry, parts), End(grace_s)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        end.listen()
        running = asyncio.create_task(service.run())
        yield
        running.cancel()
        end.come(clean=await service.stop())

    async def livez(_: Request) -> Response:
        reason = service.dead()
        body = {"service": telemetry.service, "live": reason is None, "reason": reason}
        return JSONResponse(body, 200 if reason is None else 503)

    async def readyz(_: Request) -> Response:
        reason = service.unready()
        body = {"service": telemetry.service, "ready": reason is None, "reason": reason}
        return JSONResponse(body, 200 if reason is None else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    health = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=[*health, *routes], lifespan=lifespan)

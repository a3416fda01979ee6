"""Runs serving under its own uvicorn, so that the end is ours: `python -m services.serving`.

At SIGTERM the service is no longer ready and every answer closes its connection; after a grace
period the listeners close, the last connections get their answers, and the parts stop in order.
A second signal ends the process at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from functools import partial
from types import FrameType

import uvicorn

from services.serving.app import assembled
from services.serving.http import DirectProtocol, Drain
from services.serving.settings import Settings
from shared.telemetry import set_up

GRACE_S, SETTLE_S, LAST_ANSWERS_S, LOOK_S = 1.0, 0.25, 5.0, 0.02


class Server(uvicorn.Server):
    """Ends when the last connection has had its answer."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self.drain = drain
        self._draining: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal; hear signals only while there is a loop to act on them."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; a second signal is the end."""
        if self.drain.begun:
            os._exit(1)
        self.drain.begin()
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        await asyncio.sleep(GRACE_S)
        for listener in self.servers if self.started else ():
            listener.close()
        # Whoever was accepted last has sent its request by then.
        await asyncio.sleep(SETTLE_S)
        for _ in range(round(LAST_ANSWERS_S / LOOK_S)):
            if not self.server_state.tasks:
                break
            await asyncio.sleep(LOOK_S)
        self.should_exit = True


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m services.serving", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8803)
    options = parser.parse_args()
    serving = assembled(Settings(), set_up("serving"))
    config = uvicorn.Config(
        serving.app,
        host=options.host,
        port=options.port,
        loop="uvloop",
        # uvicorn only calls it.
        http=partial(DirectProtocol, direct=serving.direct),  # type: ignore[arg-type]
        ws="none",
        proxy_headers=False,
        server_header=False,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    Server(config, serving.drain).run()


if __name__ == "__main__":
    main()

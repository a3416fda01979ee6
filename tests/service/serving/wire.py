"""A connection to serving without a socket: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import uvicorn
from uvicorn.server import ServerState

from services.serving.http import Direct, DirectProtocol


def raw(body: Any, path: str, *headers: str, method: str = "POST", version: str = "1.1") -> bytes:
    """Write a request; what is not bytes becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/{version}", *headers, f"content-length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Wire(asyncio.Transport):
    """The client's end of a connection, and the transport at the server's end."""

    def __init__(self, app: Any, direct: Direct) -> None:
        super().__init__()
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None)
        config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"today")]
        self.protocol = DirectProtocol(config, self.state, {}, direct=direct)
        self.received, self.closed = b"", False
        self.protocol.connection_made(self)

    def send(self, *pieces: bytes) -> None:
        """Let the server read, piece by piece."""
        for piece in pieces:
            self.protocol.data_received(piece)

    async def reply(self) -> tuple[bytes, bytes]:
        """Wait for the next head and body."""
        async with asyncio.timeout(10):
            while b"\r\n\r\n" not in self.received:
                await asyncio.sleep(0)
            head, _, rest = self.received.partition(b"\r\n\r\n")
            size = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            while len(rest) < size:
                await asyncio.sleep(0)
                rest = self.received.partition(b"\r\n\r\n")[2]
            self.received = rest[size:]
            return head, rest[:size]

    def write(self, data: Any) -> None:
        self.received += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class OverWire(httpx.AsyncBaseTransport):
    """Lets httpx ask over a connection of its own."""

    def __init__(self, app: Any, direct: Direct) -> None:
        self.app, self.direct = app, direct

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        wire = Wire(self.app, self.direct)
        headers = [f"{n}: {v}" for n, v in request.headers.items() if n != "content-length"]
        path, content = request.url.raw_path.decode(), await request.aread()
        wire.send(raw(content, path, *headers, method=request.method))
        head, body = await wire.reply()
        wire.protocol.connection_lost(None)
        first, *lines = head.decode().split("\r\n")
        pairs = [(name, value.strip()) for name, _, value in (n.partition(":") for n in lines)]
        return httpx.Response(int(first.split()[1]), headers=pairs, content=body)

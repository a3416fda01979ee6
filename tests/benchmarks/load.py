"""A keep-alive client for HTTP: some connections, each with one request in flight."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

LENGTH = re.compile(rb"content-length: (\d+)", re.I)


class Broken(Exception):
    """A request was not answered as it should; the text shows what came."""


class Connection(asyncio.Protocol):
    """Sends one request after another, each when the answer to the one before is there."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self.requests, self.done = requests, done
        self.latencies: list[float] = []
        self._received = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = LENGTH.search(self._received, 0, head)
        if not self._received.startswith(b"HTTP/1.1 200") or length is None:
            self.done.set_exception(Broken(self._received[:300].decode()))
            self.transport.close()
        elif len(self._received) >= head + 4 + int(length[1]):
            self.latencies.append(time.perf_counter() - self._sent)
            self._received = b""
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the server has closed the connection."""
        if not self.done.done():
            self.done.set_exception(Broken(f"closed with a request in flight: {error}"))

    def _next(self) -> None:
        request = next(self.requests, None)
        if request is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self._sent = time.perf_counter()
        self.transport.write(request)


def post(path: str, body: bytes) -> bytes:
    """Write a request as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: serving\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(
    port: int, requests: Sequence[bytes], number: int, connections: int = 16
) -> list[float]:
    """Send so many requests, over and over the given ones; seconds that each took."""
    loop, stream = asyncio.get_running_loop(), islice(cycle(requests), number)
    clients = []
    for _ in range(connections):
        done = loop.create_future()
        _, client = await loop.create_connection(
            lambda done=done: Connection(stream, done), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return [latency for client in clients for latency in client.latencies]

"""The Open Inference Protocol v2 over HTTP: one ASGI callable for everything under /v2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from services.serving.domain.predictions import Header
from services.serving.domain.protocol import ServerMetadata
from services.serving.domain.replies import body_of
from services.serving.domain.requests import asked
from services.serving.http.paths import Target, target_of
from services.serving.inference import Inference
from services.serving.ports import Unknown
from shared.errors import Transient
from shared.telemetry import Telemetry

Headers = Iterable[tuple[bytes, bytes]]
JSON, BYTES = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")
RETRY = (b"retry-after", b"1")
JSON_SIZE = b"inference-header-content-length"
READ = frozenset((JSON_SIZE, b"traceparent", b"content-encoding"))
ENCODER = msgspec.json.Encoder()


# Status, body, headers.
Answer = tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]


class TooLarge(ValueError):
    """A body is larger than is taken."""


class Protocol:
    """Answers what lies under /v2, and leaves everything else to another application.

    Args:
        telemetry: of the service.
        inference: answers, whatever carries the questions.
        server: name, version and extensions.
        unready: says why the service cannot work now.
        max_body: bytes of a request.
        rest: takes all other paths.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        inference: Inference,
        server: ServerMetadata,
        unready: Callable[[], str | None],
        max_body: int,
        rest: ASGIApp,
    ) -> None:
        self.telemetry, self.inference, self.server = telemetry, inference, server
        self.unready, self.max_body, self.rest = unready, max_body, rest

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request; every error has a body that says what is wrong."""
        if scope["type"] == "http" and scope["path"].startswith("/v2"):
            return self._answer(scope, receive, send)
        return self.rest(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            target = target_of(scope["path"])
            if scope["method"] != target.method:
                answer = _error(405, f"use {target.method}", (b"allow", target.method.encode()))
            elif target.what == "infer":
                message = await receive()
                body = message.get("body", b"")
                if message.get("more_body") or len(body) > self.max_body:
                    body = await self._whole(body, receive)
                answer = await self._infer(target, scope["headers"], body)
            else:
                answer = await self._told(target)
        except Exception as error:
            answer = self._refused(scope["path"], error)
        status, body, own = answer
        headers = [*own, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _infer(self, target: Target, headers: Headers, body: bytes) -> Answer:
        json_size: int | None = None
        trace: tuple[Header, ...] = ()
        for name, value in headers:
            if name not in READ:
                continue
            if name == JSON_SIZE:
                json_size = int(value)
            elif name == b"traceparent":
                trace = (("traceparent", value),)
            elif value != b"identity":
                return _error(415, "compressed bodies are not taken")
        served = self.inference.served(target.model)
        question = asked(served.signature, body, json_size)
        wanted = served.outputs.wanted(question)
        inferred = await self.inference.infer(served, target.version, question, trace)
        tensors = [
            (served.outputs.tensor(name, inferred.scores, inferred.choices), binary)
            for name, binary in wanted
        ]
        content, size = body_of(target.model, inferred.author.version, inferred.id, tensors)
        if size is None:
            return 200, content, (JSON,)
        return 200, content, (BYTES, (JSON_SIZE, b"%d" % size))

    async def _told(self, target: Target) -> Answer:
        if target.what == "live":
            return _document({"live": True})
        if target.what == "ready":
            if reason := self.unready():
                raise Transient(reason)
            return _document({"ready": True})
        if target.what == "server":
            return _document(self.server)
        if target.what == "model":
            return _document(self.inference.served(target.model).metadata(target.version))
        await self.inference.ready(target.model, target.version)
        return _document({"name": target.model, "ready": True})

    async def _whole(self, body: bytes, receive: Receive) -> bytes:
        """Read the rest of a body."""
        more = True
        while more and len(body) <= self.max_body:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > self.max_body:
            raise TooLarge(f"the body has more than {self.max_body:,} bytes")
        return body

    def _refused(self, path: str, error: Exception) -> Answer:
        if isinstance(error, Unknown):
            answer = _error(404, str(error.args[0]))
        elif isinstance(error, TooLarge):
            answer = _error(413, str(error), (b"connection", b"close"))
        elif isinstance(error, ValueError):
            answer = _error(400, str(error))
        elif isinstance(error, Transient):
            answer = _error(503, str(error), RETRY)
        else:
            self.telemetry.log.exception("%s cannot be answered", path)
            answer = _error(500, f"{type(error).__name__}: the log says more")
        self.telemetry.count("http_requests", f"v2 {answer[0]}")
        return answer


def _document(content: Any) -> Answer:
    return 200, ENCODER.encode(content), (JSON,)


def _error(status: int, reason: str, *headers: tuple[bytes, bytes]) -> Answer:
    return status, ENCODER.encode({"error": reason}), (JSON, *headers)

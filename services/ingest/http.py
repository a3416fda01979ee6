"""POST /events/{model}, /labels/{model} -> events, labels."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from contracts.data import EVENTS, LABELS
from services.ingest.domain.budget import Budget, Exhausted
from services.ingest.domain.cloudevents import Item, binary, structured
from services.ingest.domain.refusal import Refusal, Refused, refusals
from services.ingest.ports import Catalogue
from shared.errors import Transient
from shared.kafka import Message, Names, Publisher
from shared.kafka.producer import Unpublishable
from shared.telemetry import Telemetry

TOPICS = {"events": EVENTS, "labels": LABELS}
JSON = "application/json"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
CLOUDEVENT = "application/cloudevents+json"
SHOWN = 100
LONGEST_KEY = 1000
LINES_AT_ONCE = 500
TRACES = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may cost: sizes in bytes, times in seconds."""

    one: int
    lines: int
    body_s: float
    ack_s: float
    retry_after_s: int
    trace_ratio: float


class Answer(Exception):
    """A request ends here, with a status other than 202."""

    def __init__(self, status: int, error: str, *, retry_after_s: int = 0, **body: Any) -> None:
        super().__init__(error)
        headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
        if status == 405:
            headers["Allow"] = "POST"
        self.response = JSONResponse({"error": error, **body}, status, headers)


class Intake:
    """Takes requests: all of one request is accepted, or nothing of it is published.

    Only a 503 may leave a part behind; the same request again completes it, because events and
    labels are recognised by their ids.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        names: Names,
        publisher: Publisher,
        catalogue: Catalogue,
        budget: Budget,
        limits: Limits,
    ) -> None:
        self.telemetry, self.names, self.publisher = telemetry, names, publisher
        self.catalogue, self.budget, self.limits = catalogue, budget, limits

    async def take(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for `events` or `labels`."""
        request = Request(scope, receive)
        try:
            response = await self._answer(kind, request)
        except Answer as answer:
            response = answer.response
        except ClientDisconnect:
            self.telemetry.count("http_requests", f"{kind} disconnected")
            return
        self.telemetry.count("http_requests", f"{kind} {response.status_code}")
        await response(scope, receive, send)

    async def _answer(self, kind: str, request: Request) -> JSONResponse:
        payload = self._payload(kind, request)
        media = _media_type(request)
        try:
            with self.budget.claim() as claim:
                body = await self._body(request, media, claim.grow)
                items = _items(kind, media, request, body)
                self._check_sizes(items)
                with _traced(request, kind, self.limits.trace_ratio) as headers:
                    messages = await self._messages(kind, request, payload, items, headers)
                    await self._publish(messages)
        except Exhausted as error:
            raise Answer(429, str(error), retry_after_s=self.limits.retry_after_s) from error
        except Refused as error:
            raise _unacceptable(error.refusals) from error
        return JSONResponse({"accepted": len(messages)}, 202)

    def _payload(self, kind: str, request: Request) -> type[BaseModel]:
        if request.method != "POST":
            raise Answer(405, f"{request.method} is not possible here: use POST")
        model = request.path_params["model"]
        payload = self.catalogue.payload(model, kind)
        if payload is None:
            known = self.catalogue.names()
            raise Answer(404, f"no model {model!r} is declared", models=known[:SHOWN])
        return payload

    async def _body(self, request: Request, media: str, hold: Any) -> bytes:
        limit = self.limits.lines if media in LINES else self.limits.one
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise Answer(413, f"the body has {announced} bytes; at most {limit:,} are taken")
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_s):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > limit:
                        raise Answer(413, f"the body has more than {limit:,} bytes")
                    hold(len(chunk))
                    body += chunk
        except TimeoutError as error:
            raise Answer(408, f"the body took more than {self.limits.body_s:g} s") from error
        return bytes(body)

    def _check_sizes(self, items: Sequence[Item]) -> None:
        for item in items:
            if len(item.value) > self.limits.one:
                size, limit = len(item.value), self.limits.one
                raise Answer(413, f"line {item.line} has {size:,} bytes; at most {limit:,} fit")

    async def _messages(
        self,
        kind: str,
        request: Request,
        payload: type[BaseModel],
        items: Sequence[Item],
        headers: tuple[tuple[str, bytes], ...],
    ) -> list[Message]:
        topic = self.names.data(TOPICS[kind], request.path_params["model"])
        entity = _entity(request)
        messages, refused = [], []
        for index, item in enumerate(items):
            if index % LINES_AT_ONCE == LINES_AT_ONCE - 1:
                await asyncio.sleep(0)  # a long request lets the short ones through
            try:
                checked: Any = payload.model_validate_json(item.value)
            except ValidationError as error:
                refused += refusals(item.line, error.errors(include_url=False))
                continue
            key = entity or item.key or checked.id.encode()
            messages.append(Message(topic, key, item.value, (*item.headers, *headers)))
        if refused:
            raise Refused(*refused)
        return messages

    async def _publish(self, messages: Sequence[Message]) -> None:
        try:
            async with asyncio.timeout(self.limits.ack_s):
                await self.publisher.publish(messages)
        except Unpublishable as error:
            raise Answer(413, f"nothing was published: {error}") from error
        except (Transient, TimeoutError) as error:
            raise Answer(
                503,
                "Kafka has not acknowledged; send the same again, its ids are recognised",
                retry_after_s=self.limits.retry_after_s,
            ) from error


def routes(intake: Intake) -> list[Route]:
    """Make the two routes."""
    return [Route(f"/{kind}/{{model}}", _Endpoint(intake, kind)) for kind in TOPICS]


class _Endpoint:
    """An ASGI application, so that every method comes here and gets the same kind of answer."""

    def __init__(self, intake: Intake, kind: str) -> None:
        self._take = partial(intake.take, kind)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._take(scope, receive, send)


def _media_type(request: Request) -> str:
    media, *parameters = (
        part.strip().lower() for part in request.headers.get("content-type", "").split(";")
    )
    known = (JSON, *LINES, CLOUDEVENT)
    if media not in known:
        raise Answer(415, f"content-type {media!r} is not taken", taken=list(known))
    charset = next((p[8:].strip('"') for p in parameters if p.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "us-ascii"):
        raise Answer(415, f"charset {charset!r} is not taken: use utf-8")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Answer(415, "compressed bodies are not taken")
    return media


def _items(kind: str, media: str, request: Request, body: bytes) -> list[Item]:
    if media == CLOUDEVENT:
        return [structured(kind, body)]
    if media in LINES:
        lines = enumerate(body.split(b"\n"), 1)
        items = [Item(number, line.strip()) for number, line in lines if line.strip()]
        if not items:
            raise Refused(Refusal(1, "", "the body holds no line"))
        return items
    if "ce-specversion" in request.headers:
        return [binary(kind, request.headers, body)]
    return [Item(1, body)]


def _entity(request: Request) -> bytes:
    key = request.headers.get("x-entity-key", "").encode("latin-1")
    if len(key) > LONGEST_KEY:
        raise Refused(Refusal(1, "x-entity-key", f"must have at most {LONGEST_KEY} bytes"))
    return key


def _unacceptable(refused: Sequence[Refusal]) -> Answer:
    lines = len({refusal.line for refusal in refused})
    error = f"nothing was published: {lines} line(s) cannot be accepted"
    return Answer(422, error, errors=[asdict(refusal) for refusal in refused[:SHOWN]])


@contextmanager
def _traced(request: Request, kind: str, ratio: float) -> Iterator[tuple[tuple[str, bytes], ...]]:
    """Go on with the sender's trace, or begin one for a share of the requests."""
    given = "traceparent" in request.headers
    if not given and random.random() >= ratio:
        yield ()
        return
    context = TRACES.extract(request.headers) if given else Context()
    name = f"ingest {kind} {request.path_params['model']}"
    with trace.get_tracer("driftwheel").start_as_current_span(name, context):
        carrier: dict[str, str] = {}
        TRACES.inject(carrier)
        yield tuple((header, value.encode()) for header, value in carrier.items())

"""The usual request past ASGI: the same answers, in order, and everything else as ever."""

import asyncio
import json

import pytest

from services.serving.http.direct import HIGH_WATER_LIMIT
from tests.service.serving.asking import INFER, Asking, rows
from tests.service.serving.wire import Wire, raw
from tests.service.serving.world import MODEL, linear, plan

NAMED = f"/v2/models/{MODEL}/versions/0.0.0/infer"
USUAL = rows(id="r1", parameters={"entity_id": "UA"})
SIZE = "inference-header-content-length: 2"


async def elsewhere(scope, receive, send):
    """Answer in place of the application that others are left to."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"else"})


@pytest.fixture
async def world(tmp_path):
    world = await Asking(tmp_path, http_max_body=2 * HIGH_WATER_LIMIT).born().started()
    for version in (None, "0.0.0"):
        await world.inference.ready(MODEL, version)
    yield world
    await world.outbox.stop()


@pytest.fixture
def wire(world):
    return Wire(elsewhere, world.direct)


@pytest.mark.parametrize(("path", "published"), [(INFER, 1), (NAMED, 0)])
async def test_it_answers_what_asgi_does_byte_for_byte(world, wire, path, published):
    expected = await world.ask(path, USUAL)
    await world.told()
    wire.send(raw(USUAL, path, "traceparent: 00-1-2-01"))
    assert wire.received, "an answer does not wait for the event loop"
    assert wire.state.total_requests == 1
    assert wire.protocol.timeout_keep_alive_task is not None
    head, body = await wire.reply()
    assert body == expected.content
    assert head == (
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json\r\n"
        b"content-length: %d" % len(body)
    )
    await world.outbox.start()
    said = await world.told()
    assert len(said) == 2 * published
    assert said[:published] == said[published:]
    if published:
        assert ("traceparent", b"00-1-2-01") in world.records[-1].headers


async def test_a_request_may_come_in_pieces(wire):
    request = raw(USUAL, INFER)
    for cut in range(1, len(request)):
        wire.send(request[:cut], request[cut:])
        assert json.loads((await wire.reply())[1])["id"] == "r1"


async def test_requests_sent_together_are_answered_in_their_order(world):
    wire = Wire(world.app, world.direct)
    several = rows((1, 2), (3, 4), id="several")
    asked = [rows(id="0"), several, rows(id="2"), rows(id="3")]
    wire.send(b"".join(raw(body, INFER) for body in asked))
    ids = [json.loads((await wire.reply())[1])["id"] for _ in asked]
    assert ids == ["0", "several", "2", "3"]


@pytest.mark.parametrize(
    "request_",
    [
        raw(USUAL, INFER, version="1.0"),
        raw(USUAL, INFER, "connection: close"),
        raw(USUAL, INFER, "Content-Encoding: gzip"),
        raw(USUAL, INFER, SIZE),
        raw(USUAL, INFER, method="GET"),
        raw(USUAL, INFER + "?x=1"),
        raw(USUAL, INFER.replace("-", "%2d")),
        raw(USUAL, NAMED.replace("0.0.0", "7.0.0")),
        raw(USUAL, INFER.replace(MODEL, "nobody")),
        raw(USUAL, f"/v2/models/{MODEL}"),
        raw(USUAL, "/elsewhere"),
        raw(b"{", INFER),
        raw(rows((1, 2), (3, 4)), INFER),
        raw(rows(("x",)), INFER),
        raw(rows(outputs=[{"name": "score"}]), INFER),
        raw(rows(parameters={"durable": True}), INFER),
        raw(rows(parameters={"binary_data_output": True}), INFER),
        raw(rows(more="x" * HIGH_WATER_LIMIT), INFER),
    ],
    ids=range(18),
)
async def test_everything_else_goes_to_asgi(wire, request_):
    wire.send(request_)
    assert (await wire.reply())[1] == b"else"
    if not wire.closed:
        wire.send(raw(USUAL, INFER))
        assert (await wire.reply())[1] != b"else"


async def test_a_client_that_waits_for_leave_gets_it(wire):
    request = raw(USUAL, INFER, "expect: 100-continue")
    head, end, body = request.partition(b"\r\n\r\n")
    wire.send(head + end)
    async with asyncio.timeout(10):
        while not wire.received:
            await asyncio.sleep(0)
    assert wire.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.received = b""
    wire.send(body)
    assert (await wire.reply())[1] == b"else"


async def test_nothing_is_written_to_a_client_that_does_not_read(wire):
    wire.protocol.pause_writing()
    wire.send(raw(USUAL, INFER))
    assert not wire.received
    wire.protocol.resume_writing()
    assert (await wire.reply())[1] == b"else"


async def test_once_the_end_has_begun_answers_close_their_connections(world):
    wire = Wire(world.app, world.direct)
    world.direct.drain.begin()
    wire.send(raw(USUAL, INFER))
    head, _ = await wire.reply()
    assert b"connection: close" in head
    assert wire.closed


async def test_what_has_come_in_part_is_answered_although_the_server_ends(world):
    wire = Wire(world.app, world.direct)
    request = raw(USUAL, INFER)
    wire.send(request[:-9])
    wire.protocol.shutdown()
    assert not wire.closed
    wire.send(request[-9:])
    assert json.loads((await wire.reply())[1])["id"] == "r1"
    assert wire.closed


async def test_a_version_that_was_withdrawn_does_not_decide(world):
    world.promote("1.0.0", linear(1))
    await world.started()
    await world.inference.ready(MODEL, None)
    wire = Wire(elsewhere, world.direct)
    wire.send(raw(USUAL, INFER))
    assert json.loads((await wire.reply())[1])["model_version"] == "1.0.0"
    world.release(plan(2, "0.0.0", None, withdrawn="1.0.0"))
    await world.started()
    wire.send(raw(USUAL, INFER))
    assert (await wire.reply())[1] == b"else"

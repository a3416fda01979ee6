"""A service's life: parts start until they can, say how they are, and come to an end."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from shared.service import Service, application
from tests.doubles import telemetry

PROGRAM = """
import asyncio, sys
import uvicorn
from shared.service import application
from shared.telemetry import Telemetry

class Part:
    async def start(self): print("started", flush=True)
    async def stop(self): await asyncio.sleep(float(sys.argv[1]))
    def unready(self): return None

app = application(Telemetry("t"), [Part()], grace_s=0.5)
uvicorn.run(app, port=0, log_level="warning")
"""


class Part:
    """A part that a test moves from state to state."""

    def __init__(self, *troubles, stop=None):
        self.troubles, self.cannot_stop = list(troubles), stop
        self.started = self.stopped = 0

    async def start(self):
        if self.troubles:
            raise self.troubles.pop(0)
        self.started += 1

    async def stop(self):
        if self.cannot_stop:
            raise self.cannot_stop
        self.stopped += 1

    def unready(self):
        return None if self.started else "not yet"


class MortalPart(Part):
    """A part that may die."""

    reason: str | None = None

    def dead(self):
        return self.reason


async def test_parts_start_in_order_and_as_often_as_it_takes():
    first, second = Part(ConnectionError("away")), Part()
    service = Service(telemetry(), [first, second])
    assert service.unready() == "starting"
    await asyncio.wait_for(service.run(), 10)
    assert (first.stopped, first.started, second.started) == (1, 1, 1)
    assert service.unready() is None


async def test_a_part_that_neither_starts_nor_stops_says_both(caplog):
    part = Part(ConnectionError("away"), stop=KeyError("torn"))
    await asyncio.wait_for(Service(telemetry(), [part]).run(), 10)
    assert "cannot start: ConnectionError('away')" in caplog.text
    assert "did not stop cleanly" in caplog.text
    assert "torn" in caplog.text


async def test_a_part_that_cannot_stop_keeps_no_other_and_is_not_clean():
    first, second = Part(), Part(stop=KeyError("torn"))
    service = Service(telemetry(), [first, second])
    await service.run()
    assert await service.stop() is False
    assert first.stopped == 1


async def test_liveness_is_what_the_parts_say_of_themselves():
    alive, mortal = Part(), MortalPart()
    app = application(telemetry(), [alive, mortal])
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http,
    ):
        while (await http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0)
        assert (await http.get("/livez")).json() == {
            "service": "test",
            "live": True,
            "reason": None,
        }
        mortal.reason = "stands still"
        answer = await http.get("/livez")
        assert (answer.status_code, answer.json()["reason"]) == (503, "stands still")


@pytest.mark.parametrize(("stopping_s", "code"), [(0, 0), (60, 1)])
def test_sigterm_is_an_end_clean_or_after_the_grace(stopping_s, code):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(stopping_s)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == code

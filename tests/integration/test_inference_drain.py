"""SIGTERM under load: every request that was sent is answered, and everything is published."""

import asyncio
import json
import re

import pytest

from contracts.data import PREDICTIONS
from tests.benchmarks.load import post
from tests.integration.serving_process import read, serving_process, told
from tests.polling import until
from tests.service.serving.world import MODEL, World, plan

CONNECTIONS = 16
BODY = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [149.0, 7.5]}]}
REQUEST = post(f"/v2/models/{MODEL}/infer", json.dumps(BODY).encode())
LENGTH = re.compile(rb"content-length: (\d+)", re.I)


class Client:
    """Asks over one connection until it is told to go elsewhere, as behind a balancer."""

    def __init__(self, port):
        self.port, self.answered, self.refused, self.broken = port, 0, 0, None

    async def run(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while await self.ask(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            self.broken = error
        finally:
            writer.close()

    async def ask(self, reader, writer):
        """Ask once; answers whether the connection stays."""
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(LENGTH.search(head)[1]))
        self.answered += head.startswith(b"HTTP/1.1 200")
        self.refused += not head.startswith(b"HTTP/1.1 200")
        return b"connection: close" not in head


@pytest.mark.parametrize("turn", range(2))
async def test_no_connection_is_broken_and_no_prediction_lost(real, names, tmp_path, turn):
    kafka, _ = real
    await told(kafka, names, tmp_path, World.declare, lambda w: w.release(plan(0, "0.0.0", None)))
    with serving_process(kafka, names, tmp_path, stream="false") as serving:
        serving.wait_until_ready(f"/v2/models/{MODEL}/ready")
        clients = [Client(serving.port) for _ in range(CONNECTIONS)]
        running = [asyncio.create_task(client.run()) for client in clients]
        await until(lambda: min(client.answered for client in clients) >= 10)
        serving.terminate()
        await asyncio.gather(*running)
        assert await asyncio.to_thread(serving.process.wait, 20) == 0
    assert [client.broken for client in clients] == [None] * CONNECTIONS
    assert sum(client.refused for client in clients) == 0
    answered = sum(client.answered for client in clients)
    records = await read(kafka, names.data(PREDICTIONS, MODEL), answered)
    assert len({json.loads(record.value)["id"] for record in records}) == len(records) == answered


async def test_while_it_goes_down_it_is_not_ready(real, names, tmp_path):
    kafka, _ = real
    await told(kafka, names, tmp_path, World.declare, lambda w: w.release(plan(0, "0.0.0", None)))
    with serving_process(kafka, names, tmp_path, stream="false") as serving:
        serving.wait_until_ready("/v2/health/ready")
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        serving.terminate()
        while True:
            writer.write(b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(LENGTH.search(head)[1]))
            if not head.startswith(b"HTTP/1.1 200"):
                break
        assert head.startswith(b"HTTP/1.1 503")
        assert b"connection: close" in head
        writer.close()
        assert await asyncio.to_thread(serving.process.wait, 20) == 0


async def test_a_second_signal_ends_it_at_once(real, names, tmp_path):
    kafka, _ = real
    await told(kafka, names, tmp_path, World.declare, lambda w: w.release(plan(0, "0.0.0", None)))
    with serving_process(kafka, names, tmp_path, stream="false") as serving:
        serving.wait_until_ready("/v2/health/ready")
        serving.terminate()
        while serving.process.poll() is None:
            serving.terminate()
            await asyncio.sleep(0.05)
        assert serving.process.returncode == 1

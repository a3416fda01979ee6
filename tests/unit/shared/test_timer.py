"""What is told from time to time: an outage of the world ends nothing."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.errors import Transient
from shared.kafka import Names, Teller, Timer, Told
from tests.doubles import MemoryKafka, telemetry


@pytest.mark.parametrize("error", [KafkaConnectionError, ConnectionError, TimeoutError, Transient])
async def test_it_asks_again_after_an_outage(error):
    asked, answered = [], asyncio.Event()

    async def ask():
        asked.append(1)
        if len(asked) == 1:
            raise error("away")
        answered.set()
        return Told()

    timer = Timer(Teller(telemetry("t"), Names(), MemoryKafka()), ask, every_s=0.001)
    await timer.start()
    async with asyncio.timeout(5):
        await answered.wait()
    assert timer.dead() is None
    await timer.stop()


async def test_a_fault_of_ours_shows():
    async def ask():
        raise KeyError("ours")

    timer = Timer(Teller(telemetry("t"), Names(), MemoryKafka()), ask, every_s=0.001)
    await timer.start()
    async with asyncio.timeout(5):
        while timer.dead() is None:
            await asyncio.sleep(0)
    assert "ours" in timer.dead()
    with pytest.raises(KeyError):
        await timer.stop()


async def test_it_ends_where_a_client_swallows_the_cancellation():
    asked, asking = [], asyncio.Event()

    async def ask():
        asked.append(1)
        asking.set()
        if len(asked) == 1:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return Told()

    timer = Timer(Teller(telemetry("t"), Names(), MemoryKafka()), ask, every_s=0.001)
    await timer.start()
    async with asyncio.timeout(5):
        await asking.wait()
        await timer.stop()
    assert len(asked) == 1

"""One behaviour suite over the memory of the service tests and over Redis."""

import asyncio

import pytest

from services.validation.adapters.redis import RedisMemory
from services.validation.ports import Entry
from shared.errors import Transient
from tests.service.validation.world import DictMemory


@pytest.fixture(params=["dictionary", "redis"])
async def memory(request, names):
    if request.param == "dictionary":
        yield DictMemory()
        return
    _, url = request.getfixturevalue("real")
    memory = RedisMemory(url, names.prefix)
    await memory.start()
    yield memory
    await memory.stop()


async def test_what_is_remembered_is_recalled_in_the_order_asked(memory):
    await memory.remember([Entry(b"a", b"1", 60), Entry(b"b\x00\xff", b"\x00", 60)])
    assert await memory.recall([b"b\x00\xff", b"x", b"a", b"a"]) == [b"\x00", None, b"1", b"1"]


async def test_the_last_value_counts(memory):
    await memory.remember([Entry(b"a", b"1", 60), Entry(b"a", b"2", 60)])
    await memory.remember([Entry(b"a", b"3", 60)])
    assert await memory.recall([b"a"]) == [b"3"]


async def test_nothing_is_a_question_too(memory):
    await memory.remember([])
    assert await memory.recall([]) == []


async def test_a_whole_batch_fits(memory):
    entries = [Entry(b"%d" % n, b"%d" % -n, 60) for n in range(5000)]
    await memory.remember(entries)
    assert await memory.recall([e.key for e in entries]) == [e.value for e in entries]


async def test_redis_forgets_in_time_and_keeps_deployments_apart(real, names):
    _, url = real
    ours, theirs = RedisMemory(url, names.prefix), RedisMemory(url, "other." + names.prefix)
    await ours.remember([Entry(b"short", b"1", 1), Entry(b"long", b"1", 60)])
    assert await theirs.recall([b"long"]) == [None]
    async with asyncio.timeout(10):
        while (await ours.recall([b"short"]))[0] is not None:
            await asyncio.sleep(0.05)
    assert await ours.recall([b"long"]) == [b"1"]
    await ours.stop()
    await theirs.stop()


async def test_a_redis_that_is_away_is_the_worlds_fault():
    memory = RedisMemory("redis://127.0.0.1:1/0", "t.")
    with pytest.raises(Transient, match="redis: "):
        await memory.recall([b"a"])
    with pytest.raises(Transient, match="redis: "):
        await memory.start()
    await memory.stop()

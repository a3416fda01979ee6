"""One behaviour suite over the memory of the service tests and over Redis."""

import pytest

from services.validation.adapters.redis import RedisMemory
from services.validation.ports import CONTENT_BYTES, NAME_BYTES, Marks
from shared.errors import Transient
from tests.polling import until
from tests.service.validation.world import DictMemory

IDS = b"{m.events}:id:"


@pytest.fixture(params=["dictionary", "redis"])
async def memory(request, names):
    if request.param == "dictionary":
        yield DictMemory()
        return
    _, url = request.getfixturevalue("real")
    memory = redis_memory(url, names.prefix)
    await memory.start()
    yield memory
    await memory.stop()


def redis_memory(url, prefix, ids_ttl_s=60, values_ttl_s=60):
    return RedisMemory(url, prefix, ids_ttl_s=ids_ttl_s, values_ttl_s=values_ttl_s)


def name(number):
    return bytes([0, number % 256, number // 256, 255]) * (NAME_BYTES // 4)


def content(number):
    return number.to_bytes(CONTENT_BYTES, "big")


def marks(said, ids=IDS):
    """Pack pairs of name and content."""
    names, contents = (b"".join(column) for column in zip(*said, strict=True))
    return Marks(ids, names, contents)


NO_MARKS = Marks(IDS, b"", b"")


async def test_what_is_remembered_is_recalled_in_the_order_asked(memory):
    said = marks([(name(1), content(11)), (name(2), content(22))])
    await memory.remember(said, {b"a": b"1", b"b\x00\xff": b"\x00"})
    asked = name(2) + name(7) + name(1) + name(1)
    contents, values = await memory.recall(IDS, asked, [b"b\x00\xff", b"x", b"a"])
    assert contents == content(22) + content(0) + content(11) + content(11)
    assert values == [b"\x00", None, b"1"]


async def test_the_last_value_counts_also_within_one_call(memory):
    await memory.remember(marks([(name(1), content(1)), (name(1), content(2))]), {b"a": b"1"})
    assert await memory.recall(IDS, name(1), [b"a"]) == (content(2), [b"1"])
    await memory.remember(marks([(name(1), content(3))]), {b"a": b"2"})
    assert await memory.recall(IDS, name(1), [b"a"]) == (content(3), [b"2"])


async def test_ids_of_two_streams_are_two(memory):
    await memory.remember(marks([(name(1), content(1))]), {})
    assert await memory.recall(b"{m.labels}:id:", name(1), []) == (content(0), [])


async def test_nothing_is_a_question_too(memory):
    await memory.remember(NO_MARKS, {})
    assert await memory.recall(IDS, b"", []) == (b"", [])
    assert await memory.recall(IDS, b"", [b"a"]) == (b"", [None])


async def test_a_whole_batch_fits(memory):
    said = [(name(number), content(number)) for number in range(1, 20_000)]
    values = {b"%d" % number: b"%d" % -number for number in range(2000)}
    await memory.remember(marks(said), values)
    names = b"".join(one for one, _ in said)
    contents, found = await memory.recall(IDS, names, list(values))
    assert contents == b"".join(one for _, one in said)
    assert found == list(values.values())


async def test_redis_forgets_in_time_and_keeps_deployments_apart(real, names):
    _, url = real
    ours = redis_memory(url, names.prefix, ids_ttl_s=1)
    theirs = redis_memory(url, "other." + names.prefix)
    await ours.remember(marks([(name(1), content(1))]), {b"long": b"1"})
    assert await theirs.recall(IDS, name(1), [b"long"]) == (content(0), [None])

    async def forgotten():
        return (await ours.recall(IDS, name(1), []))[0] == content(0)

    await until(forgotten)
    assert (await ours.recall(IDS, b"", [b"long"]))[1] == [b"1"]
    await ours.stop()
    await theirs.stop()


async def test_a_redis_that_is_away_is_the_worlds_fault():
    memory = redis_memory("redis://127.0.0.1:1/0", "t.")
    with pytest.raises(Transient, match="redis: "):
        await memory.recall(IDS, name(1), [])
    with pytest.raises(Transient, match="redis: "):
        await memory.start()
    await memory.stop()

"""However the streams are shuffled, copied and broken off, the last word on each id is the same."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.monitor.world import World, at, ce_id

IDS = [f"id{n}" for n in range(8)]
HOURS = st.integers(0, 40).map(lambda quarter: quarter / 4)

predicted = st.tuples(st.just("predict"), st.sampled_from(IDS))
labelled = st.tuples(st.just("tell"), st.sampled_from(IDS), HOURS, st.booleans())
clock = st.tuples(st.just("pass"), st.integers(1, 60))
read = st.tuples(st.just("settle"), st.integers(0, 3))
crash = st.tuples(st.just("crash"), st.integers(0, 4))
flush = st.just(("flush",))
unplugged = st.tuples(st.just("trouble"), st.integers(0, 3))


def key(event_id: str) -> bytes:
    return event_id[-1:].encode()


def hour(event_id: str) -> float:
    return float(event_id[2:]) / 2


class Played(World):
    """A monitor to which the steps happen."""

    async def on_predict(self, event_id):
        self.predict(event_id, hour(event_id), key=key(event_id))

    async def on_tell(self, event_id, time, value):
        self.tell(event_id, time, value, key=key(event_id))

    async def on_pass(self, hours):
        for n in range(8):
            self.predict(f"clock{hours}", hours, key=b"%d" % n)

    async def on_settle(self, seconds):
        await self.settle(seconds)

    async def on_crash(self, back):
        await self.restart(rewind=lambda offset: max(0, offset - back))

    async def on_flush(self):
        self.store.flush()

    async def on_trouble(self, calls):
        self.store.failures = [None] * calls + [ConnectionError("unplugged")]


async def played(steps) -> World:
    world = Played(partitions=2)
    for step, *args in steps:
        await getattr(world, f"on_{step}")(*args)
    await world.on_pass(999)
    for _ in range(3):
        await world.settle(3)
    return world


def last_words(steps) -> dict[str, tuple[bool | None, str | None]]:
    """Find the newest label of every predicted id."""
    last = {}
    for step, *args in steps:
        if step == "predict":
            last.setdefault(args[0], None)
    for order, (step, *args) in enumerate(steps):
        if step == "tell" and args[0] in last:
            event_id, time, value = args
            if last[event_id] is None or (time, order) > last[event_id][:2]:
                last[event_id] = (time, order, value)
    return {i: (w[2], at(w[0])) if w else (None, None) for i, w in last.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(predicted, labelled, predicted, labelled, clock, read, crash, flush, unplugged),
        max_size=40,
    )
)
def test_the_last_word_on_each_id_is_that_of_the_clean_stream(steps):
    world = asyncio.run(played(steps))
    finals = {i: o for i, o in world.finals().items() if i in IDS}
    assert {i: (o["label"], o["label_time"]) for i, o in finals.items()} == last_words(steps)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(predicted, labelled, predicted, labelled, clock, read, crash, unplugged),
        max_size=40,
    )
)
def test_copies_are_equal_and_a_replay_adds_no_outcome(steps):
    async def replayed():
        world = await played(steps)
        before = {ce_id(record): record.value for record in world.outcome_records()}
        await world.restart(rewind=lambda _: 0)
        for _ in range(3):
            await world.settle(3)
        return world, before

    world, before = asyncio.run(replayed())
    for record in world.outcome_records():
        assert before[ce_id(record)] == record.value

"""The crash ledger: it finds the record that ends the process, and blames no other."""

import asyncio
import shutil
from collections import defaultdict

import pytest

from contracts.data import EVENTS
from shared.kafka import Consumer, CrashLedger, Position, Told
from shared.kafka.message import Run
from tests.doubles import MemoryKafka, record, telemetry

TOPIC = "test.data.m.events.v1"
WHERE = Position(TOPIC, 0)


class Machine:
    """Starts a service again and again; a start may die while a record is handled."""

    def __init__(self, folder):
        self.folder, self.starts = folder, 0
        self.kafka = MemoryKafka(partitions=2)
        self.handled = []
        self.committed = defaultdict(int)

    async def start(self, deadly=()):
        """Run until nothing is left or a deadly value is handled; commits stay."""
        self.starts += 1
        # The dead process's file lock is gone, its file is not.
        disk = self.folder / f"{self.starts}"
        previous = self.folder / f"{self.starts - 1}"
        if previous.exists():
            shutil.copytree(previous, disk)
        ledger = CrashLedger(disk, "test", "0")
        await ledger.start()
        died = self.folder / "died"

        async def handle(batch):
            values = [r.value for r in batch.records]
            if any(value in deadly for value in values):
                shutil.copytree(disk, died)
                raise asyncio.CancelledError
            self.handled += values
            return Told()

        consumer = Consumer(
            telemetry(),
            "g",
            kafka="",
            names=self.kafka.names,
            publisher=self.kafka,
            ledger=ledger,
        )
        consumer.on_data(EVENTS, handle)
        self.kafka._consumers = [(consumer, self.committed)]
        try:
            await self.kafka.settle()
        except BaseException:
            if not died.exists():
                raise
            shutil.rmtree(disk)
            died.rename(disk)
            return "died"
        await ledger.stop()
        return "ended"

    def letters(self):
        return [(r.value, dict(r.headers)["dlq-class"]) for r in self.kafka.records(TOPIC + ".dlq")]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


async def test_a_record_that_ends_the_process_is_parked_after_three_starts(machine):
    values = [b"%d" % number for number in range(10)]
    for value in values:
        machine.kafka.append(TOPIC, value, partition=0)
    for _ in range(3):
        assert await machine.start(deadly={b"4"}) == "died"
    assert await machine.start(deadly={b"4"}) == "ended"
    assert machine.letters() == [(b"4", b"crash")]
    assert set(machine.handled) == set(values) - {b"4"}


async def test_two_of_them_on_two_partitions_are_both_found(machine):
    for number in range(10):
        machine.kafka.append(TOPIC, b"%d" % number, partition=number % 2)
    for _ in range(8):
        if await machine.start(deadly={b"4", b"7"}) == "ended":
            break
    assert machine.starts <= 7
    assert sorted(machine.letters()) == [(b"4", b"crash"), (b"7", b"crash")]
    assert len(set(machine.handled)) == 8


async def test_kills_from_outside_park_nothing_while_there_is_progress(machine):
    values = [b"%d" % number for number in range(10)]
    for value in values:
        machine.kafka.append(TOPIC, value, partition=0)
    for victim in (b"3", b"3", b"5", b"5", b"9", b"9"):
        assert await machine.start(deadly={victim}) == "died"
    assert await machine.start() == "ended"
    assert machine.letters() == []


async def test_a_clean_end_forgets_the_deaths_before_it(machine):
    machine.kafka.append(TOPIC, b"x", partition=0)
    for _ in range(2):
        assert await machine.start(deadly={b"x"}) == "died"
    stopped, machine.committed = machine.committed, defaultdict(lambda: 1)
    assert await machine.start() == "ended"
    machine.committed = stopped
    for _ in range(3):
        assert await machine.start(deadly={b"x"}) == "died"
    assert machine.letters() == []


def run(first, end, partition=0):
    position = Position(TOPIC, partition)
    return Run(position, [record(TOPIC, b"", offset=o) for o in range(first, end)])


async def reopened(folder, as_folder):
    """Read what a process leaves that dies now."""
    shutil.copytree(folder, as_folder)
    ledger = CrashLedger(as_folder, "s", "0")
    await ledger.start()
    return ledger


async def test_what_waits_for_the_world_is_not_blamed(tmp_path):
    ledger = CrashLedger(tmp_path / "a", "s", "0")
    await ledger.start()
    async with ledger.flight("g", [run(3, 9)]):
        blamed = await reopened(tmp_path / "a", tmp_path / "b")
        ledger.excuse("g")
        excused = await reopened(tmp_path / "a", tmp_path / "c")
    done = await reopened(tmp_path / "a", tmp_path / "d")
    assert [(s.first, s.end, s.deaths) for s in blamed.suspects.values()] == [(3, 9, 1)]
    assert excused.suspects == done.suspects == {}


async def test_an_excused_suspect_keeps_its_deaths(tmp_path):
    ledger = CrashLedger(tmp_path / "a", "s", "0")
    await ledger.start()
    async with ledger.flight("g", [run(3, 4)]):
        second = await reopened(tmp_path / "a", tmp_path / "b")
    async with second.flight("g", [run(3, 4)]):
        second.excuse("g")
        third = await reopened(tmp_path / "b", tmp_path / "c")
    assert [s.deaths for s in third.suspects.values()] == [1]


async def test_a_start_that_dies_before_it_works_blames_nobody_again(tmp_path):
    ledger = CrashLedger(tmp_path / "a", "s", "0")
    await ledger.start()
    async with ledger.flight("g", [run(3, 4)]):
        await reopened(tmp_path / "a", tmp_path / "b")
    again = await reopened(tmp_path / "b", tmp_path / "c")
    assert [s.deaths for s in again.suspects.values()] == [1]


def offsets(steps):
    return [[(r.position.partition, r.records[0].offset, r.end) for r in step] for step in steps]


async def test_after_one_death_suspects_of_all_partitions_share_few_steps(tmp_path):
    ledger = CrashLedger(tmp_path / "a", "s", "0")
    await ledger.start()
    async with ledger.flight("g", [run(3, 12), run(20, 24, partition=1)]):
        second = await reopened(tmp_path / "a", tmp_path / "b")
    everything = [run(0, 4, partition=2), run(1, 14), run(20, 24, partition=1)]
    assert offsets(second.steps("g", everything)) == [
        [(2, 0, 4)],
        [(0, 1, 3), (1, 20, 22)],
        [(0, 3, 6), (1, 22, 24)],
        [(0, 6, 9)],
        [(0, 9, 12)],
        [(0, 12, 14)],
    ]
    assert list(second.steps("other", [run(1, 7)])) == [[run(1, 7)]]


async def test_after_two_deaths_suspects_are_alone_and_the_others_together(tmp_path):
    ledger = CrashLedger(tmp_path / "a", "s", "0")
    await ledger.start()
    async with ledger.flight("g", [run(3, 5)]):
        second = await reopened(tmp_path / "a", tmp_path / "b")
    async with second.flight("g", [run(3, 5)]):
        third = await reopened(tmp_path / "b", tmp_path / "c")
    assert offsets(third.steps("g", [run(0, 4, partition=1), run(1, 7)])) == [
        [(1, 0, 4)],
        [(0, 1, 3)],
        [(0, 3, 4)],
        [(0, 4, 5)],
        [(0, 5, 7)],
    ]


async def test_a_partition_held_in_one_step_holds_up_no_other(tmp_path):
    first = CrashLedger(tmp_path / "a", "s", "0")
    await first.start()
    async with first.flight("g", [run(0, 9), run(0, 9, partition=1)]):
        ledger = await reopened(tmp_path / "a", tmp_path / "b")
    kafka = MemoryKafka(partitions=2)
    consumer = Consumer(
        telemetry(), "g", kafka="", names=kafka.names, publisher=kafka, ledger=ledger
    )
    handled = []

    async def handle(batch):
        handled.extend((r.position.partition, r.records[0].offset) for r in batch.runs)
        return Told(held={WHERE: 3} if any(r.position == WHERE for r in batch.runs) else {})

    consumer.on_data(EVENTS, handle)
    ends = {}
    async for done, _ in consumer.process([run(0, 9), run(0, 9, partition=1)]):
        ends |= done
    assert handled == [(0, 0), (1, 0), (1, 3), (1, 6)]
    assert ends == {WHERE: 3, Position(TOPIC, 1): 9}


async def test_groups_take_turns_while_there_are_suspects(tmp_path):
    ledger = CrashLedger(tmp_path / "a", "s", "0")
    await ledger.start()
    async with ledger.flight("g", [run(3, 4)]):
        second = await reopened(tmp_path / "a", tmp_path / "b")
    entered = asyncio.Event()

    async def other():
        async with second.flight("h", [run(0, 9, partition=1)]):
            entered.set()

    async with second.flight("g", [run(3, 4)]):
        waiting = asyncio.create_task(other())
        await asyncio.sleep(0)
        assert not entered.is_set()
        second.excuse("g")
        await asyncio.wait_for(entered.wait(), 5)
    await waiting


async def test_a_partition_that_moves_away_takes_its_suspicion_along(tmp_path):
    ledger = CrashLedger(tmp_path / "a", "s", "0")
    await ledger.start()
    async with ledger.flight("g", [run(3, 4)]):
        second = await reopened(tmp_path / "a", tmp_path / "b")
    second.keep("other", set())
    assert second.suspects
    second.keep("g", {Position(TOPIC, 1)})
    assert second.suspects == {}


async def test_copies_without_a_name_do_not_share_a_file(tmp_path):
    first, second = CrashLedger(tmp_path, "s"), CrashLedger(tmp_path, "s")
    await first.start()
    await second.start()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b'{"suspects": [["g', b"\xff\n"])
async def test_a_torn_file_blames_nobody(tmp_path, content):
    (tmp_path / "s.0.1.json").write_bytes(content)
    ledger = CrashLedger(tmp_path, "s", "0")
    await ledger.start()
    assert ledger.suspects == {}

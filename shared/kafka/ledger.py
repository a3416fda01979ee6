"""The crash ledger: which records a process was working on when it died."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count, pairwise, zip_longest
from math import ceil, sqrt
from pathlib import Path

from shared.kafka.message import Position, Run

DEATHS = 3
PAGE = 4096

Place = tuple[str, Position]


@dataclass(frozen=True, slots=True)
class Suspect:
    """Offsets of which one may have ended the process, and at how many starts in a row."""

    first: int
    end: int
    deaths: int


class CrashLedger:
    """Finds the record whose handling ends the process, and only that one.

    What is worked on stands in a file. A start that died over n records of a partition leaves
    suspects: they are then handled in about √n steps, with nothing else in flight in the process.
    A death is rarely a record's fault, so this has to be quick; those in flight at a second one are
    handled one at a time, so that a third names the record. One that was in flight at the end of
    three starts in a row is doomed: it has to be skipped. Work that waits for the world, and what a
    clean stop leaves, counts as no death; a record that is done with is no suspect any more.

    The file is not synced: the page cache outlives the process, and a machine that fails proves
    nothing about a record.

    Args:
        folder: where the file is; None keeps nothing.
        service: names the file.
        instance: of this copy; copies without one take the first file that is free.

    """

    def __init__(
        self, folder: Path | None = None, service: str = "", instance: str | None = None
    ) -> None:
        self.folder, self.name = folder, f"{service}.{instance}" if instance else service
        self.suspects: dict[Place, Suspect] = {}
        self._flights: dict[str, list[tuple[str, int, int, int]]] = {}
        self._turn, self._turn_of = asyncio.Lock(), ""
        self._file: int | None = None

    async def start(self) -> None:
        """Read what the process before was working on."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = _first_free(self.folder / self.name)
        self.suspects = _suspects(os.pread(self._file, os.fstat(self._file).st_size, 0))
        # A full disk must not keep a page from being overwritten.
        os.pwrite(self._file, b"\0", max(PAGE, os.fstat(self._file).st_size) - 1)
        self._write()

    async def stop(self) -> None:
        """End cleanly: whatever was suspected is cleared."""
        self.suspects.clear()
        self._flights.clear()
        self._write()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def unready(self) -> str | None:
        """Keep nobody waiting."""
        return None

    def keep(self, group: str, positions: Collection[Position]) -> None:
        """Forget what is suspected on partitions that a group no longer reads here."""
        gone = [p for p in self.suspects if p[0] == group and p[1] not in positions]
        for place in gone:
            del self.suspects[place]
        if gone:
            self._write()

    def steps(self, group: str, runs: Sequence[Run]) -> Iterator[Sequence[Run]]:
        """Part what is to be handled: suspects in small steps, the rest together."""
        if not self.suspects:
            yield runs
            return
        clear, sliced, alone = list[Run](), list[list[Run]](), list[Run]()
        for run in runs:
            suspect = self.suspects.get((group, run.position))
            if suspect is None:
                clear.append(run)
            elif suspect.end <= run.records[0].offset:
                del self.suspects[group, run.position]
                clear.append(run)
            elif suspect.deaths == 1:
                sliced.append(_parted(run, suspect))
            else:
                alone += _parted(run, suspect)
        if clear:
            yield clear
        for parts in zip_longest(*sliced):
            yield [part for part in parts if part is not None]
        yield from ([part] for part in alone)

    def doomed(self, group: str, step: Sequence[Run]) -> bool:
        """Tell whether a step is a record at which start after start has died."""
        if not self.suspects or len(step) > 1 or len(step[0].records) > 1:
            return False
        suspect = self.suspects.get((group, step[0].position))
        return (
            suspect is not None
            and suspect.deaths >= DEATHS
            and suspect.first < step[0].end <= suspect.end
        )

    @asynccontextmanager
    async def flight(self, group: str, step: Sequence[Run]) -> AsyncIterator[None]:
        """Mark a step as worked on, for the body; nobody else works while there are suspects."""
        if self.suspects:
            await self._turn.acquire()
            self._turn_of = group
        self._flights[group] = [
            (run.position.topic, run.position.partition, run.records[0].offset, run.end)
            for run in step
        ]
        self._write()
        try:
            yield
            self._clear(group, step)
        finally:
            self.excuse(group)

    def excuse(self, group: str) -> None:
        """Do not blame what a group has in flight, should the process die now."""
        if self._turn_of == group:
            self._turn_of = ""
            self._turn.release()
        if self._flights.pop(group, None) is not None:
            self._write()

    def _clear(self, group: str, step: Sequence[Run]) -> None:
        for run in step if self.suspects else ():
            suspect = self.suspects.get((group, run.position))
            if suspect is None or run.end <= suspect.first:
                continue
            if run.end < suspect.end:
                left = Suspect(run.end, suspect.end, suspect.deaths)
                self.suspects[group, run.position] = left
            else:
                del self.suspects[group, run.position]

    def _write(self) -> None:
        if self._file is None:
            return
        suspects = [
            (group, position.topic, position.partition, one.first, one.end, one.deaths)
            for (group, position), one in self.suspects.items()
        ]
        line = json.dumps({"suspects": suspects, "flights": self._flights})
        os.pwrite(self._file, line.encode() + b"\n", 0)


def _first_free(path: Path) -> int:
    """Open the first file of this name that no living process holds."""
    for number in count(1):
        file = os.open(f"{path}.{number}.json", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            os.close(file)
    raise AssertionError("there is always another number")


def _suspects(content: bytes) -> dict[Place, Suspect]:
    """Blame what was in flight at the last death; a torn line blames nobody."""
    try:
        state = json.loads(content.partition(b"\n")[0])
    except ValueError:
        return {}
    suspects = {
        (group, Position(topic, partition)): Suspect(*range_and_deaths)
        for group, topic, partition, *range_and_deaths in state["suspects"]
    }
    for group, ranges in state["flights"].items():
        for topic, partition, first, end in ranges:
            place = group, Position(topic, partition)
            before = suspects.get(place)
            again = before is not None and before.first <= first < before.end
            suspects[place] = Suspect(first, end, 1 + (before.deaths if before and again else 0))
    return suspects


def _parted(run: Run, suspect: Suspect) -> list[Run]:
    """Part a run into what stands before the suspects, steps of them, and what stands after."""
    start, end = (
        bisect_left(run.records, offset, key=lambda record: record.offset)
        for offset in (suspect.first, suspect.end)
    )
    size = ceil(sqrt(end - start)) if suspect.deaths == 1 and end > start else 1
    cuts = [0, *range(start, end, size), end, len(run.records)]
    parts = [run.records[one:next_one] for one, next_one in pairwise(cuts)]
    return [Run(run.position, part) for part in parts if part]

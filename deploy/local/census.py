"""Who runs: process ids, each with the proof that the id still means the process we started."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

from deploy.local.folder import read_json, write_json

SAME_S = 2.0  # two readings of one start time differ by less, two processes of one id by more


@dataclass(frozen=True)
class Entry:
    """A process as it was when it was started."""

    name: str
    pid: int
    created: float  # seconds since the epoch

    @classmethod
    def of(cls, name: str, pid: int) -> Self | None:
        """Describe the running process `pid`; None if it is gone already."""
        try:
            return cls(name, pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def find(self) -> psutil.Process | None:
        """Return the process if it still runs; None if it ended or its id went to another."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < SAME_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def write(file: Path, entries: Iterable[Entry]) -> None:
    """Keep `entries` for whoever comes after a crash."""
    write_json(file, [asdict(entry) for entry in entries])


def read(file: Path) -> tuple[Entry, ...]:
    """Return the entries kept in `file`, those that ended too; none if there is no file."""
    return tuple(Entry(**entry) for entry in read_json(file) or ())


def end(entries: Iterable[Entry], patience_s: float) -> list[Entry]:
    """Stop those that still run: SIGTERM, after `patience_s` SIGKILL. Returns who ran."""
    found = [(entry, process) for entry in entries if (process := entry.find())]
    processes = [process for _, process in found]
    for process in processes:
        process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=patience_s)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    return [entry for entry, _ in found]

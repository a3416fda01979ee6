"""Run the stack of a folder, in this process or in one of its own, and stop it again."""

import fcntl
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from deploy.local import census
from deploy.local.errors import LocalError
from deploy.local.fetch import kafka_jars
from deploy.local.folder import Folder, read_json, write_json
from deploy.local.process import CHECKOUT
from deploy.local.progress import Progress
from deploy.local.stack import Plan, Stack
from deploy.local.supervision import keep_alive

SUPERVISOR = "supervisor"
STOP_S = 90.0  # for a supervisor to stop everything in order
LEFTOVER_S = 30.0  # for a process without its supervisor
LOOK_S = 0.1


def fetch(plan: Plan, progress: Progress) -> tuple[Path, ...]:
    """Return the jars that the plan needs, from the cache or the network.

    Raises:
        LocalError: they cannot be fetched.
    """
    if not plan.includes("kafka"):
        return ()
    progress.stage("Fetching Apache Kafka")
    return kafka_jars(progress.detail)


def run(
    folder: Folder, plan: Plan, jars: Sequence[Path], progress: Progress, cancel: Event
) -> None:
    """Start the stack, start again what dies, and stop it all when `cancel` is set.

    Raises:
        LocalError: something could not be started, or a stack runs here already.
    """
    with running(folder, plan, jars, progress, cancel) as stack:
        if not cancel.is_set():
            progress.say(overview(folder, stack.endpoints()))
            progress.stage("Running; Ctrl-C stops everything.")

        def say(text: str) -> None:
            progress.say(f"{datetime.now():%H:%M:%S} {text}")

        keep_alive(stack.processes, cancel, say, lambda: _publish(folder, stack))


@contextmanager
def running(
    folder: Folder, plan: Plan, jars: Sequence[Path], progress: Progress, cancel: Event
) -> Iterator[Stack]:
    """Have the stack ready, and its endpoints.json written, for the body; nobody restarts it.

    Raises:
        LocalError: something could not be started, or a stack runs here already.
    """
    with _claimed(folder):
        _end_leftovers(folder, progress)
        folder.state.mkdir(exist_ok=True)
        stack = Stack(folder, plan, jars)
        try:
            stack.start(progress, cancel, started=lambda: _count(folder, stack))
            if not cancel.is_set():
                _publish(folder, stack)
            yield stack
        finally:
            folder.endpoints.unlink(missing_ok=True)
            stack.stop(progress)
            folder.processes.unlink(missing_ok=True)


def detach(folder: Folder, arguments: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Run `up` with `arguments` as a daemon; return its endpoints as soon as it is ready.

    Raises:
        LocalError: it did not come up; shows the end of its log.
    """
    log = folder.logs / f"{SUPERVISOR}.log"
    folder.logs.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", "deploy.local", "up", *arguments)
    with log.open("wb") as out:
        daemon = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
            start_new_session=True,
        )
    try:
        while daemon.poll() is None:
            if endpoints := endpoints_of(folder, daemon.pid):
                return endpoints
            progress.stage(_last_line(log) or "Starting")
            Event().wait(LOOK_S)
    except KeyboardInterrupt:
        daemon.terminate()
        raise
    raise LocalError(
        f"The stack did not come up. Its supervisor said:\n{_indented(log)}",
        f"mend the cause it names; all logs are in {folder.logs}.",
    )


def endpoints_of(folder: Folder, supervisor: int | None = None) -> dict[str, Any] | None:
    """Return endpoints.json if the stack is up (under that supervisor, if given), else None."""
    endpoints: dict[str, Any] | None = read_json(folder.endpoints)
    entry = supervisor_of(folder)
    if endpoints is None or entry is None or supervisor not in (None, entry.pid):
        return None
    return endpoints


def supervisor_of(folder: Folder) -> census.Entry | None:
    """Return the supervisor that runs here, if one does."""
    entries = census.read(folder.processes)
    return next((e for e in entries if e.name == SUPERVISOR and e.find()), None)


def down(folder: Folder, progress: Progress) -> bool:
    """Stop what runs in `folder`; False if nothing did.

    A supervisor stops its processes in order; what has lost its supervisor is stopped directly.
    Nothing is touched that cannot be shown to have been started here.
    """
    ended = False
    if supervisor := supervisor_of(folder):
        progress.stage(f"Stopping the stack in {folder.root}")
        ended = bool(census.end((supervisor,), STOP_S))
    return _end_leftovers(folder, progress) or ended


def reset(folder: Folder, progress: Progress) -> None:
    """Stop what runs in `folder` and delete its data; logs stay.

    Everything has to stop first: a producer that survives a wiped broker breaks all new ones.
    """
    down(folder, progress)
    with _claimed(folder):
        folder.wipe()


def overview(folder: Folder, endpoints: dict[str, Any]) -> str:
    """Lay out the addresses for a reader."""
    addresses = {"kafka": endpoints["kafka"], "redis": endpoints["redis"], **endpoints["services"]}
    lines = [f"{name:<12}{address}" for name, address in addresses.items() if address]
    return "\n".join((*lines, f"{'addresses':<12}{folder.endpoints}", f"{'logs':<12}{folder.logs}"))


@contextmanager
def _claimed(folder: Folder) -> Iterator[None]:
    folder.root.mkdir(parents=True, exist_ok=True)
    with folder.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalError(
                f"A stack runs in {folder.root} already.",
                "use it, or stop it with `driftwheel down`, or choose another --folder.",
            ) from error
        yield


def _end_leftovers(folder: Folder, progress: Progress) -> bool:
    """End what a crashed supervisor may have left behind, last started first."""
    ended = census.end(reversed(census.read(folder.processes)), LEFTOVER_S)
    if ended:
        names = ", ".join(f"{entry.name} (pid {entry.pid})" for entry in ended)
        progress.say(f"Stopped what an earlier run had left in {folder.root}: {names}")
    folder.endpoints.unlink(missing_ok=True)
    folder.processes.unlink(missing_ok=True)
    return bool(ended)


def _publish(folder: Folder, stack: Stack) -> None:
    endpoints = stack.endpoints()
    endpoints["pids"][SUPERVISOR] = os.getpid()
    _count(folder, stack)
    write_json(folder.endpoints, endpoints)


def _count(folder: Folder, stack: Stack) -> None:
    pids = {SUPERVISOR: os.getpid(), **{p.name: p.pid for p in stack.processes if p.pid}}
    entries = (census.Entry.of(name, pid) for name, pid in pids.items())
    census.write(folder.processes, (entry for entry in entries if entry))


def _indented(log: Path) -> str:
    return textwrap.indent(log.read_text(errors="replace").rstrip(), "    ")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")

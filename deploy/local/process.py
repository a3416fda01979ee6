"""One process of the stack: start it, know that it serves, stop it, find out why it did not."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Event
from time import monotonic

from deploy.local.errors import LocalError
from deploy.local.leash import leash

CHECKOUT = Path(__file__).resolve().parents[2]
POLL_S = 0.05


class Process(ABC):
    """A program that runs in the background and writes to one log file.

    It may be started again after it ended; `start` does not wait until it serves.
    """

    start_s = 60.0  # until it must serve
    stop_s = 15.0  # from SIGTERM until SIGKILL

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._running: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the program and its arguments; asked anew at each start."""

    @abstractmethod
    def ready(self) -> bool:
        """Ask the running program once whether it serves; takes a second or two at most."""

    def environment(self) -> Mapping[str, str]:
        """Return the variables it gets on top of our own."""
        return {}

    @property
    def pid(self) -> int | None:
        """The id of the last process started, if any."""
        return self._running.pid if self._running else None

    @property
    def exit_code(self) -> int | None:
        """How the last process ended; None while it runs or before the first start."""
        return self._running.poll() if self._running else None

    @property
    def alive(self) -> bool:
        """Whether it runs, ready or not."""
        return self._running is not None and self._running.poll() is None

    def set_log_aside(self) -> None:
        """Keep the log of the run before as .old, and begin a new one."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.old"))

    def start(self) -> None:
        """Start the program in a session of its own, so that Ctrl-C reaches only us."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=CHECKOUT,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )
        leash().hold(self.name, self._running.pid)

    def assert_alive(self) -> None:
        """Raise LocalError with the end of the log if the program has ended."""
        if self.exit_code is not None:
            raise self.failure(f"ended with exit code {self.exit_code}")

    def failure(self, what: str) -> LocalError:
        """Describe `what` happened to this process, with the last lines it wrote."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        tail = "\n".join(f"    {line[:300]}" for line in lines[-15:]) or "    (nothing written)"
        return LocalError(
            f"{self.name} {what}. Its last lines:\n{tail}",
            f"read {self.log} and mend the cause; `driftwheel doctor` examines this machine.",
        )

    def terminate(self) -> None:
        """Ask it to stop; returns at once."""
        if self._running and self.alive:
            self._running.terminate()

    def stop(self) -> None:
        """Ask it to stop and wait; after `stop_s` it is killed."""
        if self._running is None:
            return
        self.terminate()
        try:
            self._running.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL)."""
        if self._running:
            self._running.kill()
            self._running.wait()

    def restart(self) -> None:
        """Stop it if it runs, start it on the same port and data, and wait until it serves."""
        self.stop()
        self.start()
        wait_until_ready((self,))


def wait_until_ready(
    processes: Iterable[Process],
    cancel: Event | None = None,
    tell: Callable[[list[str]], None] = lambda names: None,
) -> None:
    """Return as soon as all `processes` serve, or as soon as `cancel` is set.

    Args:
        processes: all started.
        cancel: ends the wait early.
        tell: told again and again who is still waited for.

    Raises:
        LocalError: one ended, or did not serve within its `start_s`; shows the end of its log.
    """
    cancel, began = cancel or Event(), monotonic()
    waiting = list(processes)
    while waiting and not cancel.is_set():
        for process in tuple(waiting):
            process.assert_alive()
            if process.ready():
                waiting.remove(process)
            elif monotonic() - began > process.start_s:
                raise process.failure(f"was not ready within {process.start_s:.0f} s")
        if waiting:
            tell([process.name for process in waiting])
            cancel.wait(POLL_S)


def stop_all(processes: Sequence[Process]) -> None:
    """Ask all of them to stop, then wait for each."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.stop()

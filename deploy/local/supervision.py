"""Start again what dies: at once at first, then less and less often."""

from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic

from deploy.local.errors import LocalError
from deploy.local.process import Process

FIRST_S, LONGEST_S = 0.2, 10.0
HEALTHY_S = 30.0  # alive for so long, a death counts as the first again
LOOK_S = 0.05


class Keeper:
    """Keeps one process alive.

    What was healthy is started again at once; each further death doubles the wait before the next
    start, from 0.2 s to 10 s.

    Args:
        process: already started.
        say: told, in one line, of each death and each start.
        now: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        process: Process,
        say: Callable[[str], None],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._process = process
        self._say = say
        self._now = now
        self._wait = 0.0
        self._started = now()
        self._due: float | None = None

    def look(self) -> bool:
        """Do what is due now; True if the process was started again."""
        now = self._now()
        if self._process.alive:
            if now - self._started >= HEALTHY_S:
                self._wait = 0.0
            return False
        if self._due is None:
            self._due = self._postponed(f"ended with exit code {self._process.exit_code}")
        return now >= self._due and self._start()

    def _start(self) -> bool:
        try:
            self._process.start()
        except (LocalError, OSError) as error:
            self._due = self._postponed(f"cannot start: {error}")
            return False
        self._due = None
        self._started = self._now()
        self._say(f"{self._process.name} started again (pid {self._process.pid})")
        return True

    def _postponed(self, why: str) -> float:
        when = f"next start in {self._wait:g} s" if self._wait else "starting it again"
        self._say(f"{self._process.name} {why}; {when}, log: {self._process.log}")
        due = self._now() + self._wait
        self._wait = min(max(FIRST_S, 2 * self._wait), LONGEST_S)
        return due


def keep_alive(
    processes: Sequence[Process],
    cancel: Event,
    say: Callable[[str], None],
    changed: Callable[[], None],
) -> None:
    """Keep all of them alive until `cancel` is set; calls `changed` after every restart."""
    keepers = [Keeper(process, say) for process in processes]
    while not cancel.wait(LOOK_S):
        restarted = [keeper for keeper in keepers if keeper.look()]
        if restarted:
            changed()

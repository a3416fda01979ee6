"""Ends what was started here when its starter dies without having done so, even by SIGKILL.

The starter holds one end of a pipe and writes to it what it starts; the kernel closes the pipe when
the starter is gone, however it went. This module run as a program is the other end.
"""

import atexit
import contextlib
import functools
import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from deploy.local import census

PATIENCE_S = 10.0


class Leash:
    """Our end of the pipe."""

    def __init__(self) -> None:
        self._watcher = subprocess.Popen(
            (sys.executable, "-m", "deploy.local.leash"),
            stdin=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
            text=True,
        )
        atexit.register(self._let_go)

    def hold(self, name: str, pid: int) -> None:
        """Have the process `pid` ended if we die first."""
        entry, pipe = census.Entry.of(name, pid), self._watcher.stdin
        if entry and pipe:
            # Without a watcher the next `up` still ends what is left over.
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(asdict(entry)), file=pipe, flush=True)

    def _let_go(self) -> None:
        self._watcher.communicate()


@functools.cache
def leash() -> Leash:
    """Return this process's one leash, made at its first use."""
    return Leash()


def main() -> None:
    """Remember what comes in; when the pipe closes, end what still runs."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    held = [census.Entry(**json.loads(line)) for line in sys.stdin]
    census.end(reversed(held), PATIENCE_S)


if __name__ == "__main__":
    main()

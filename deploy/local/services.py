"""The services, and how each one is started."""

import http.client
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.process import Process


@dataclass(frozen=True)
class Service:
    """One row: a name, what runs it, and the port it takes if that is free."""

    name: str
    program: tuple[str, ...]
    port: int


def uvicorn(name: str) -> tuple[str, ...]:
    """Run the application of a service under uvicorn, as all do that need nothing else."""
    return (
        *("uvicorn", f"services.{name}.app:build", "--factory"),
        *("--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "10"),
    )


SERVICES = (
    Service("ingest", uvicorn("ingest"), 8801),
    Service("validation", uvicorn("validation"), 8802),
    Service("serving", ("services.serving",), 8803),
    Service("monitor", uvicorn("monitor"), 8804),
    Service("training", uvicorn("training"), 8805),
    Service("registry", uvicorn("registry"), 8806),
)


class ServiceProcess(Process):
    """A service under uvicorn, run from the tree."""

    stop_s = 20.0  # uvicorn's own deadline of 10 s, and the draining of its consumers

    def __init__(
        self, service: Service, port: int, environment: Mapping[str, str], logs: Path
    ) -> None:
        super().__init__(service.name, logs / f"{service.name}.log")
        self.url = f"http://127.0.0.1:{port}"
        self._service = service
        self._port = port
        self._environment = environment

    def command(self) -> list[str]:
        """Fill in the row."""
        address = ("--host", "127.0.0.1", "--port", str(self._port))
        return [sys.executable, "-m", *self._service.program, *address]

    def environment(self) -> Mapping[str, str]:
        """Return the variables of the stack."""
        return self._environment

    def ready(self) -> bool:
        """GET /readyz says 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

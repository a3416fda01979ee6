"""The services, and how each one is started."""

import http.client
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.process import Process


@dataclass(frozen=True)
class Service:
    """One row: a name, the factory of its application, and the port it takes if that is free."""

    name: str
    factory: str
    port: int


SERVICES = (
    Service("ingest", "services.ingest.app:build", 8801),
    Service("validation", "services.validation.app:build", 8802),
    Service("serving", "services.serving.app:build", 8803),
    Service("monitor", "services.monitor.app:build", 8804),
    Service("training", "services.training.app:build", 8805),
    Service("registry", "services.registry.app:build", 8806),
)

COMMAND = (
    *(sys.executable, "-m", "uvicorn", "{factory}", "--factory"),
    *("--host", "127.0.0.1", "--port", "{port}"),
    *("--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "10"),
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
        fields = {"factory": self._service.factory, "port": self._port}
        return [part.format(**fields) for part in COMMAND]

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

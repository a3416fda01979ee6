"""MLServer with the same model: the peer over HTTP; runs in an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.local.ports import Ports
from tests.benchmarks.material import MODEL

PACKAGES = ("mlserver", "mlserver-lightgbm")
READY = "/v2/health/ready"
INFER = f"/v2/models/{MODEL}/infer"
# One process, as its authors measure it at its best.
SETTINGS = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, "metrics_endpoint": None}
PORTS = Ports()
IMPLEMENTATION = "mlserver_lightgbm.LightGBMModel"


def command(environment: Path, folder: Path, text: bytes, port: int) -> tuple[str, ...]:
    """Write what MLServer starts from, its settings and the model, and say how it is started.

    Args:
        environment: folder in which it is installed.
        folder: for what it starts from.
        text: the model as LightGBM writes it.
        port: for HTTP.

    """
    place = folder / "mlserver"
    place.mkdir()
    ports = {"http_port": port, "grpc_port": PORTS.any(), "metrics_port": PORTS.any()}
    model = {"name": MODEL, "implementation": IMPLEMENTATION, "parameters": {"uri": "model.bst"}}
    (place / "settings.json").write_text(json.dumps(SETTINGS | ports))
    (place / "model-settings.json").write_text(json.dumps(model))
    (place / "model.bst").write_bytes(text)
    return (str(environment / "bin" / "mlserver"), "start", str(place))

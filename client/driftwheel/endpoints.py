"""Where Kafka and the services are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from driftwheel.errors import Invalid, NotFound

PREFIX = "driftwheel."
PLACE = Path(".driftwheel") / "endpoints.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of one deployment.

    Attributes:
        kafka: bootstrap address.
        prefix: stands before every topic name.
        services: name -> URL; empty where unknown.
        origin: where the addresses come from, for error texts.

    """

    kafka: str
    prefix: str = PREFIX
    services: Mapping[str, str] = field(default_factory=dict)
    origin: str = "given"

    def data(self, model: str, kind: str) -> str:
        """Name a data topic such as `driftwheel.data.flight-delay.events.v1`."""
        return f"{self.prefix}data.{model}.{kind}.v1"

    def control(self, subject: str) -> str:
        """Name a control topic such as `driftwheel.model.declared.v1`."""
        return f"{self.prefix}{subject}.v1"

    def model_of(self, topic: str) -> str | None:
        """Tell which model an `events` topic belongs to; None for any other topic."""
        head, tail = f"{self.prefix}data.", ".events.v1"
        found = topic.startswith(head) and topic.endswith(tail)
        return topic[len(head) : -len(tail)] if found else None


def find(
    *,
    kafka: str | None = None,
    prefix: str | None = None,
    file: str | Path | None = None,
) -> Endpoints:
    """Find the deployment.

    In this order: the arguments; DRIFTWHEEL_KAFKA, DRIFTWHEEL_PREFIX and DRIFTWHEEL_ENDPOINTS (a
    file); the nearest `.driftwheel/endpoints.json` from the working directory upwards, and that of
    the checkout this package is installed from. Services are known from a file only.

    Raises:
        NotFound: none of these is there.
        Invalid: the file is not what `driftwheel up` writes.

    """
    kafka = kafka or os.environ.get("DRIFTWHEEL_KAFKA")
    prefix = prefix or os.environ.get("DRIFTWHEEL_PREFIX")
    named = file or os.environ.get("DRIFTWHEEL_ENDPOINTS")
    # A file that lies about must not mix its services with a Kafka named elsewhere.
    path = Path(named) if named else None if kafka else _nearest()
    content = _read(path) if path else {}
    address = kafka or content.get("kafka")
    if not address:
        raise NotFound(
            f"No deployment is known: {PLACE} is neither here nor in a folder above. "
            "Start one with `driftwheel up`, or name a Kafka in DRIFTWHEEL_KAFKA."
        )
    services = {name: url for name, url in (content.get("services") or {}).items() if url}
    origin = str(path) if path and not kafka else "given"
    return Endpoints(address, prefix or content.get("prefix") or PREFIX, services, origin)


def checkout() -> Path | None:
    """Find the checkout: around the working directory, else where this package lies."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "deploy" / "local").is_dir() and (folder / "contracts").is_dir():
            return folder
    return None


def _nearest() -> Path | None:
    here = Path.cwd()
    folders = [here, *here.parents]
    if source := checkout():
        folders.append(source)
    return next((folder / PLACE for folder in folders if (folder / PLACE).is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound(f"{path} is not there; `driftwheel up` writes it.") from error
    except ValueError as error:
        raise Invalid(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise Invalid(f'{path} must hold an object such as {{"kafka": "127.0.0.1:9092"}}')
    return content

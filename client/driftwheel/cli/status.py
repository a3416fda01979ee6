"""status: services, lag, models."""

from __future__ import annotations

from typing import Any

import typer

from driftwheel import health
from driftwheel.cli.models import read_models
from driftwheel.cli.output import AsJson, columns, document, line
from driftwheel.cli.session import client, run
from driftwheel.errors import Unreachable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show which services can work, how far consumers are behind, and the models' champions."""
    found = run(_status(ctx))
    if as_json:
        document(found)
    else:
        _show(found)
    ready = found["error"] is None and all(service["ready"] for service in found["services"])
    raise typer.Exit(0 if ready else 1)


async def _status(ctx: typer.Context) -> dict[str, Any]:
    endpoints = client(ctx).endpoints
    services = await health.services(endpoints)
    found: dict[str, Any] = {
        "kafka": endpoints.kafka,
        "services": [
            {"name": s.name, "url": s.url, "ready": s.ready, "reason": s.reason} for s in services
        ],
        "lag": {},
        "models": [],
        "error": None,
    }
    try:
        found["lag"] = await health.lags(endpoints)
        found["models"] = [model.document() for model in (await read_models(ctx)).values()]
    except Unreachable as error:
        found["error"] = str(error)
    return found


def _show(found: dict[str, Any]) -> None:
    if found["services"]:
        rows = [
            (s["name"], "ready" if s["ready"] else "not ready", s["url"], s["reason"])
            for s in found["services"]
        ]
        columns(("service", "state", "url", "reason"), rows)
    else:
        line("The addresses of the services are not known: no endpoints.json is used.")
    if found["error"]:
        line(f"Error: {found['error']}", error=True)
        return
    line("")
    columns(("consumer group", "lag"), list(found["lag"].items()))
    line("")
    columns(
        ("model", "champion", "candidate", "versions"),
        [(m["model"], m["champion"], m["candidate"], len(m["versions"])) for m in found["models"]],
    )

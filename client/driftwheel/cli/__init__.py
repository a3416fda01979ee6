"""The command `driftwheel`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from driftwheel.cli import apply, decisions, drift, local, models, publish, quarantine, status, tail
from driftwheel.cli.session import Commands, Connection

app = typer.Typer(
    cls=Commands,
    help="Publish events, consume predictions, and watch the loop between the two decide.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    ctx: typer.Context,
    kafka: Annotated[
        str | None, typer.Option(help="Bootstrap address; also DRIFTWHEEL_KAFKA.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="Before every topic name; also DRIFTWHEEL_PREFIX.")
    ] = None,
    endpoints: Annotated[
        Path | None,
        typer.Option(help="What `driftwheel up` wrote; also DRIFTWHEEL_ENDPOINTS."),
    ] = None,
) -> None:
    """Remember where the deployment is."""
    ctx.obj = Connection(kafka, prefix, endpoints)


for module in (local, apply, publish, tail, status, decisions):
    module.register(app)
app.add_typer(models.app, name="models")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(drift.app, name="drift")


def main() -> None:
    """Run the command line: 0 done, 1 failed, 2 not understood."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # errors are told in our own words
    app(prog_name="driftwheel")

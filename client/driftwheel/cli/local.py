"""up, down, doctor, demo: what a checkout of Driftwheel can run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import typer

from driftwheel.endpoints import checkout
from driftwheel.errors import NotFound

PASSED_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],  # --help too is for the program
}
PROGRAMS = {
    "up": (
        ("deploy.local", "up"),
        "Start Kafka, Redis and the services here, without Docker; --detach returns when ready.",
    ),
    "down": (("deploy.local", "down"), "Stop what `up --detach` started."),
    "doctor": (("deploy.local", "doctor"), "Examine this machine for all that `up` needs."),
    "demo": (
        ("examples.flights.demo",),
        "A year of flights through the whole loop; --help lists its options.",
    ),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, (program, text) in PROGRAMS.items():
        app.command(name, help=text, context_settings=PASSED_ON)(_command(*program))


def _command(module: str, *first: str) -> Callable[[typer.Context], None]:
    def command(ctx: typer.Context) -> None:
        folder = checkout()
        if folder is None:
            raise NotFound(
                f"`driftwheel {ctx.info_name}` runs only in a checkout of Driftwheel, and there is "
                "none in this folder or above. With a Kafka of your own, set DRIFTWHEEL_KAFKA."
            )
        os.chdir(folder)
        # The program takes this process over, and with it terminal, signals and exit code.
        command = [sys.executable, "-m", module, *first, *ctx.args]
        os.execv(sys.executable, command)  # noqa: S606 - no shell is the point

    return command

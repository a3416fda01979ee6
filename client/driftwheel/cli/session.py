"""One run of the command: the connection, and errors as exit codes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup

from driftwheel import Client, DriftwheelError

T = TypeVar("T")

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the user says the deployment is."""

    kafka: str | None
    prefix: str | None
    endpoints: Path | None


class Commands(TyperGroup):
    """Turns the client's errors into one line on standard error and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except DriftwheelError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


def client(ctx: typer.Context) -> Client:
    """Make the client the user's options ask for."""
    given: Connection = ctx.find_root().obj
    return Client(kafka=given.kafka, prefix=given.prefix, endpoints=given.endpoints)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, or to Ctrl-C, which ends what follows a topic."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None

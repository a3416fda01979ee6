"""apply, describe: declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from driftwheel.cli.output import AsJson, document, line
from driftwheel.cli.session import client, run
from driftwheel.declarations import Declaration, written
from driftwheel.errors import Refused
from driftwheel.messages import Answer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("apply")(apply)
    app.command("describe")(describe)


def apply(
    ctx: typer.Context,
    file: Annotated[Path, typer.Option("--file", "-f", help="The declaration, YAML.")],
    reason: Annotated[str, typer.Option(help="Kept in the registry's log.")] = "",
    as_json: AsJson = False,
) -> None:
    """Declare a model, or change its declaration; the registry judges it."""
    declaration = Declaration(file)

    async def work() -> Answer:
        async with client(ctx) as connected:
            return await connected.apply(declaration.content, reason=reason)

    try:
        answer = run(work())
    except Refused as refused:
        _refused(declaration, refused.answer, as_json)
        raise typer.Exit(1) from refused
    if as_json:
        document(_document(answer, accepted=True))
        return
    line(f"{answer.model} is declared, revision {answer.revision}. {answer.reason}".rstrip())
    line(f"All defaults in force: driftwheel describe {answer.model}")


def describe(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    as_json: AsJson = False,
) -> None:
    """Print a model's declaration with all defaults in force, as YAML that can be applied."""

    async def work() -> Any:
        async with client(ctx) as connected:
            return await connected.declaration(model)

    declaration = run(work())
    if as_json:
        document(declaration)
    else:
        typer.echo(written(declaration), nl=False)


def _refused(declaration: Declaration, answer: Answer, as_json: bool) -> None:
    if as_json:
        document(_document(answer, accepted=False))
        return
    for field, reason in answer.faults or (("", answer.reason),):
        where = f"{declaration.place(field)}: {field}: " if field else ""
        line(f"{where}{reason}", error=True)
    line(f"Error: {declaration.path} was refused; nothing has changed.", error=True)


def _document(answer: Answer, *, accepted: bool) -> dict[str, Any]:
    return {
        "model": answer.model,
        "accepted": accepted,
        "revision": answer.revision,
        "reason": answer.reason,
        "faults": [{"field": field, "reason": reason} for field, reason in answer.faults],
    }

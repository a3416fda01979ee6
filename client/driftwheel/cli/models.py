"""models: versions, promotion, rollback, training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from driftwheel.cli.decisions import show_fact
from driftwheel.cli.output import AsJson, columns, document, line
from driftwheel.cli.session import Commands, client, run
from driftwheel.errors import NotFound
from driftwheel.views import Model, models_of

app = typer.Typer(
    cls=Commands, help="List models and versions; promote, roll back, train.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Name of the model.")]
Reason = Annotated[str, typer.Option(help="Kept in the registry's log.")]
Revision = Annotated[
    int | None,
    typer.Option("--expected-revision", min=0, help="Refuse if the model has moved on."),
]


@app.command("list")
def list_models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List all models."""
    models = run(read_models(ctx)).values()
    if as_json:
        for model in models:
            document(model.document())
        return
    rows = [
        (
            model.name,
            model.task,
            model.champion,
            model.candidate,
            len(model.versions),
            model.revision,
        )
        for model in models
    ]
    columns(("model", "task", "champion", "candidate", "versions", "revision"), rows)


@app.command("show")
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one model and its versions."""
    model = _named(run(read_models(ctx)), name)
    if as_json:
        document(model.document())
        return
    line(f"{model.name}: {model.task}, revision {model.revision}, champion {model.champion}")
    titles = ("algorithm", "trained_at", "rows", "loss", "gate", "promoted")
    rows = [
        (version, *(about[title] for title in titles)) for version, about in model.versions.items()
    ]
    columns(("version", *titles), rows)


@app.command("log")
def log(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Print all that the registry has recorded of a model."""

    async def work() -> int:
        entries = 0
        async with client(ctx) as connected:
            async for fact in connected.facts("registry.recorded"):
                if fact is not None and fact.model == name:
                    show_fact(fact, as_json)
                    entries += 1
        return entries

    if not run(work()):
        raise NotFound(f"The registry has recorded nothing of a model {name!r}.")


@app.command("promote")
def promote(
    ctx: typer.Context,
    name: Name,
    version: Annotated[str, typer.Argument(help="Such as 1.2.0.")],
    force: Annotated[
        bool, typer.Option("--force", help="Even if the gate has refused it.")
    ] = False,
    reason: Reason = "",
    expected_revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion."""
    order = {"kind": "promote", "version": version, "force": force}
    _command(ctx, name, order, reason, expected_revision, as_json)


@app.command("rollback")
def rollback(
    ctx: typer.Context,
    name: Name,
    to: Annotated[
        str | None, typer.Option("--to", help="A version; without it, the champion before.")
    ] = None,
    reason: Reason = "",
    expected_revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """Return to an earlier champion."""
    order = {"kind": "roll_back", "version": to}
    _command(ctx, name, order, reason, expected_revision, as_json)


@app.command("train")
def train(
    ctx: typer.Context,
    name: Name,
    reason: Reason = "",
    expected_revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a training run."""
    _command(ctx, name, {"kind": "train"}, reason, expected_revision, as_json)


async def read_models(ctx: typer.Context) -> dict[str, Model]:
    """Read all models from the registry's log and the current release plans."""
    async with client(ctx) as connected:
        recorded = [fact async for fact in connected.facts("registry.recorded") if fact]
        released = [fact async for fact in connected.facts("release.changed") if fact]
    return models_of([*recorded, *released])


def _command(
    ctx: typer.Context,
    name: str,
    order: Mapping[str, Any],
    reason: str,
    expected_revision: int | None,
    as_json: bool,
) -> None:
    async def work() -> Any:
        async with client(ctx) as connected:
            return await connected.command(
                name, order, reason=reason, expected_revision=expected_revision
            )

    answer = run(work())
    if as_json:
        document({"model": name, "answer": answer.kind, "revision": answer.revision})
    else:
        line(f"{name}: {answer.kind}, revision {answer.revision}. {answer.reason}".rstrip())


def _named(models: Mapping[str, Model], name: str) -> Model:
    if name not in models:
        known = ", ".join(models) or "none"
        raise NotFound(f"The registry knows no model {name!r}; it knows: {known}.")
    return models[name]

"""decisions: what the loop decided, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from driftwheel.cli.output import AsJson, document, line, moment
from driftwheel.cli.session import client, run
from driftwheel.facts import Fact
from driftwheel.stream import Start
from driftwheel.words import SUBJECTS, sentence


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("decisions")(decisions)


def decisions(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only those about this model.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what was decided, refusals too, in the order of event time."""
    work = show_decisions(ctx, model, start="beginning", follow=follow, as_json=as_json)
    run(work)


async def show_decisions(
    ctx: typer.Context,
    model: str | None,
    *,
    start: Start,
    follow: bool,
    as_json: bool,
    number: int | None = None,
) -> None:
    """Print decisions: those there are by event time, then new ones as they come.

    Args:
        ctx: of the command.
        model: only those about it; None for all.
        start: where to begin.
        follow: go on for ever.
        as_json: print JSON.
        number: stop after so many.

    """
    told = 0

    def tell(fact: Fact | None) -> bool:
        nonlocal told
        if fact is not None and model in (None, fact.model):
            show_fact(fact, as_json)
            told += 1
        return told == number

    async with (
        client(ctx) as connected,
        connected.facts(*SUBJECTS, start=start, follow=follow) as stream,
    ):
        past = [fact for fact in await stream.past() if fact]
        if any(tell(fact) for fact in sorted(past, key=lambda fact: (fact.at, fact.appended_ms))):
            return
        async for fact in stream:
            if tell(fact):
                return


def show_fact(fact: Fact, as_json: bool) -> None:
    """Print one fact, in words or as it is."""
    if as_json:
        document({"subject": fact.subject, **fact.content})
    else:
        line(f"{moment(fact.at)}  {fact.model}  {sentence(fact)}")

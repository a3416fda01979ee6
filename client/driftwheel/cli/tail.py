"""tail: the records of a model's topics as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from driftwheel.cli.decisions import show_decisions
from driftwheel.cli.output import AsJson, document, line
from driftwheel.cli.session import client, run
from driftwheel.quarantine import quarantined, shown
from driftwheel.stream import Raw, Start


class Kind(StrEnum):
    """What can be followed."""

    predictions = "predictions"
    outcomes = "outcomes"
    events = "events"
    labels = "labels"
    quarantined = "quarantined"
    decisions = "decisions"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tail")(tail)


def tail(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    kind: Annotated[Kind, typer.Argument(help="What to follow.")] = Kind.predictions,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Start with the oldest that is kept.")
    ] = False,
    number: Annotated[int | None, typer.Option("-n", min=1, help="Stop after so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """Follow a model's predictions, or another of its streams, until Ctrl-C."""
    start: Start = "beginning" if from_beginning else "end"
    if kind is Kind.decisions:
        run(show_decisions(ctx, model, start=start, follow=True, number=number, as_json=as_json))
        return
    tell = (_document if as_json else _line)(kind)

    async def work() -> None:
        topic = "events.quarantined" if kind is Kind.quarantined else kind.value
        left = number
        async with (
            client(ctx) as connected,
            connected.records(model, topic, start=start, follow=True) as stream,
        ):
            async for raw in stream:
                tell(raw)
                left = left and left - 1
                if left == 0:
                    return

    run(work())


def _document(kind: Kind) -> Callable[[Raw], None]:
    if kind is Kind.quarantined:
        return lambda raw: document(quarantined(raw).document())
    return lambda raw: document(_content(raw) or {"unreadable": shown(raw.value)})


def _line(kind: Kind) -> Callable[[Raw], None]:
    write = LINES[kind]

    def tell(raw: Raw) -> None:
        try:
            line(write(_content(raw) or {}))
        except (KeyError, TypeError):  # what users send need not be what was declared
            line(f"{raw.partition}:{raw.offset}  {shown(raw.value)}")

    return (lambda raw: line(_refusal(raw))) if kind is Kind.quarantined else tell


def _content(raw: Raw) -> Mapping[str, Any] | None:
    try:
        content = json.loads(raw.value or b"")
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _prediction(content: Mapping[str, Any]) -> str:
    shadow = content["shadow"]
    return (
        f"{content['time']}  {content['id']}  {content['version']}  {_number(content['score'])}  "
        f"{_plain(content['decision'])}"
        + (f"  shadow {shadow['version']} {_number(shadow['score'])}" if shadow else "")
    )


def _outcome(content: Mapping[str, Any]) -> str:
    loss = "" if content["loss"] is None else f"  loss {content['loss']:.4f}"
    return (
        f"{content['time']}  {content['id']}  {content['version']}  {_number(content['score'])}  "
        f"{content['status']} {_plain(content['label'])}{loss}"
    )


def _event(content: Mapping[str, Any]) -> str:
    return f"{content['time']}  {content['id']}  {json.dumps(content['features'])}"


def _label(content: Mapping[str, Any]) -> str:
    return f"{content['time']}  {content['id']}  {_plain(content['value'])}"


def _refusal(raw: Raw) -> str:
    record = quarantined(raw)
    return f"{record.time}  {record.place}  {', '.join(record.fields)}: {record.reason}"


def _number(score: Any) -> str:
    return ", ".join(f"{part:.4f}" for part in (score if isinstance(score, list) else [score]))


def _plain(value: Any) -> str:
    return "-" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


LINES = {
    Kind.predictions: _prediction,
    Kind.outcomes: _outcome,
    Kind.events: _event,
    Kind.labels: _label,
    Kind.quarantined: _event,
}

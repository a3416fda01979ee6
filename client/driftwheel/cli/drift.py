"""drift: how things stand, and what other retraining policies would have brought."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from driftwheel import backtests
from driftwheel.cli import latest
from driftwheel.cli.output import AsJson, columns, document, line
from driftwheel.cli.session import Commands, client, run
from driftwheel.errors import Invalid

app = typer.Typer(
    cls=Commands,
    help="How far the world has moved; what drift policies are worth.",
    no_args_is_help=True,
)
app.command("show")(latest.show)

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
PICTURES = (".svg", ".png")

Line = dict[str, Any]


@app.command("backtest")
def backtest(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=FORMATS, help="Event time, UTC; else the first that is kept."
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", formats=FORMATS, help="Until before it; else the last that is kept."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="YAML file with further policies: name, trigger, fields.")
    ] = None,
    as_json: AsJson = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw it into this file, .svg or .png.")
    ] = None,
) -> None:
    """Replay what is kept under other policies: what would have been alarmed, trained, gained."""
    question = _question(start, end, policy, picture)
    result = run(_answer(ctx, model, question))
    if picture is not None:
        picture.write_bytes(base64.b64decode(result.pop("picture")))
    if as_json:
        document(result)
    else:
        _show(result)


def _question(
    start: datetime | None, end: datetime | None, policy: Path | None, picture: Path | None
) -> dict[str, Any]:
    if picture is not None and picture.suffix not in PICTURES:
        raise Invalid(f"{picture}: a picture is a file {' or '.join(PICTURES)}")
    asked = {
        "from": start and f"{start.isoformat()}Z",
        "to": end and f"{end.isoformat()}Z",
        "policies": backtests.policies(policy) if policy else None,
        "picture": picture and picture.suffix[1:],
    }
    return {name: value for name, value in asked.items() if value is not None}


async def _answer(ctx: typer.Context, model: str, question: Mapping[str, Any]) -> Line:
    endpoints, result = client(ctx).endpoints, Line()
    with _progress(model) as advance:
        # Closed where it is left: Ctrl-C then ends the backtest in the service too.
        async with aclosing(backtests.backtest(endpoints, model, question)) as told:
            async for one in told:
                if "result" in one:
                    result = one["result"]
                else:
                    advance(one)
    return result


@contextmanager
def _progress(model: str) -> Iterator[Callable[[Line], None]]:
    """Show a bar on a terminal; without one, show nothing."""
    console = Console(stderr=True)
    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*shown, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(model, total=1.0, said="")

        def advance(told: Line) -> None:
            said = f"{told.get('policy', '')}: {told.get('said', '')}"
            progress.update(task, completed=told.get("done", 0.0), said=said)

        yield advance


def _show(result: Mapping[str, Any]) -> None:
    """Print what each policy would have brought, and who would have been alarmed first."""
    metric, policies = result["metric"], result["policies"]
    line(
        f"{result['model']}, {_day(result['from'])} to {_day(result['to'])}; {metric} and cost of "
        f"{result['rows']:,} labelled events from {_day(result['measured_from'])} on"
    )
    line("")
    titles = ("policy", metric, "cost", "retrains", "promoted", "refused", "failed", "alarms")
    counts = titles[3:7]
    rows = [
        (
            one["name"],
            one["loss"],
            one["cost"],
            *(one[title] for title in counts),
            ", ".join(f"{name} {count}" for name, count in sorted(one["alarms"].items())) or "none",
        )
        for one in policies
    ]
    empty = ("",) * (len(titles) - 3)
    rows += [
        ("(as it was served)", *_means(result["as_served"]), *empty),
        ("(the prior alone)", *_means(result["prior"]), *empty),
    ]
    columns(titles, rows)
    line("")
    _show_first_alarms(policies)


def _show_first_alarms(policies: Sequence[Mapping[str, Any]]) -> None:
    first = {name for one in policies for name in one["first_alarms"]}
    columns(
        ("first alarm", *(one["name"] for one in policies)),
        [
            (name, *(_day(one["first_alarms"].get(name)) for one in policies))
            for name in sorted(first)
        ],
    )


def _means(of: Mapping[str, Any]) -> tuple[float | None, float | None]:
    return of["loss"], of["cost"]


def _day(time: str | None) -> str:
    return "-" if time is None else time[:10]

"""publish: a file's rows as events or labels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from driftwheel import Client, Record
from driftwheel.cli.output import AsJson, document, line
from driftwheel.cli.session import client, run
from driftwheel.conversion import Columns, Conversion
from driftwheel.tables import Table, open_table

CHUNK = 1000
SHOWN = 20


@dataclass(slots=True)
class Count:
    """How many rows were published and refused so far, and the line that was read last."""

    published: int = 0
    refused: int = 0
    line: int = 0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("publish")(publish)


def publish(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A .csv, .parquet or .ndjson file.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of the model.")],
    labels: Annotated[bool, typer.Option("--labels", help="The rows are labels.")] = False,
    id_column: Annotated[str, typer.Option(help="Holds the event's id.")] = "id",
    time_column: Annotated[str, typer.Option(help="Holds the event's time.")] = "time",
    key_column: Annotated[
        str | None, typer.Option(help="Holds the entity; without it, the id is the key.")
    ] = None,
    value_column: Annotated[
        str | None, typer.Option(help="Holds the label; without it, named as declared.")
    ] = None,
    null: Annotated[
        list[str] | None, typer.Option(help="Stands for a missing value; may be repeated.")
    ] = None,
    assume_utc: Annotated[
        bool, typer.Option("--assume-utc", help="Times without an offset are UTC.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="At most so many rows per second.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish the rows of a file; a bad row is reported, and the rest goes on."""
    nulls = {"", *(null or ())}
    columns = Columns(id_column, time_column, key_column, value_column, nulls, assume_utc)
    table = open_table(file)

    async def work() -> Count:
        async with client(ctx) as connected:
            conversion = Conversion(await connected.declaration(model), columns, labels)
            if table.columns is not None and (ignored := conversion.ignored(table.columns)):
                line(f"Not sent, because not declared: {', '.join(ignored)}", error=True)
            topic = connected.endpoints.data(model, "labels" if labels else "events")
            return await _publish(connected, topic, file, table, conversion, rate)

    count = run(work())
    what = "labels" if labels else "events"
    if as_json:
        document({"model": model, what: count.published, "refused": count.refused})
    else:
        line(f"{count.published:,} {what} published to {model}, {count.refused:,} rows refused.")
    raise typer.Exit(1 if count.refused else 0)


async def _publish(
    connected: Client,
    topic: str,
    file: Path,
    table: Table,
    conversion: Conversion,
    rate: float | None,
) -> Count:
    count = Count()
    size = CHUNK if rate is None else max(1, min(CHUNK, int(rate / 10)))
    with _progress(file, table) as advance:
        chunks = _chunks(_records(file, table, conversion, count), size)
        async for chunk in _paced(chunks, size / rate if rate else 0.0):
            count.published += await connected.send(topic, chunk)
            advance(count)
        advance(count)
    return count


def _records(file: Path, table: Table, conversion: Conversion, count: Count) -> Iterator[Record]:
    """Convert row by row, reporting those that cannot be."""
    for number, row in table.rows():
        count.line = number
        try:
            if isinstance(row, ValueError):
                raise row
            yield conversion.line(row) if isinstance(row, bytes) else conversion.record(row)
        except ValueError as error:
            count.refused += 1
            if count.refused <= SHOWN:
                line(f"{file}:{number}: {error}", error=True)
            if count.refused == SHOWN:
                line("Further bad rows are counted, not shown.", error=True)


def _chunks(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _paced(
    chunks: Iterator[list[Record]], seconds_each: float
) -> AsyncIterator[list[Record]]:
    """Yield chunks no faster than one per `seconds_each`."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for chunk in chunks:
        if seconds_each and due > loop.time():
            await asyncio.sleep(due - loop.time())
        yield chunk
        due = max(due, loop.time() - 1.0) + seconds_each


@contextmanager
def _progress(file: Path, table: Table) -> Iterator[Callable[[Count], None]]:
    """Show a bar on a terminal; without one, show nothing."""
    console = Console(stderr=True)
    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} published"),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=table.total, rows=0)

        def advance(count: Count) -> None:
            progress.update(task, completed=table.position, rows=count.published)

        yield advance

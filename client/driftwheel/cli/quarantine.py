"""quarantine: what was refused, and back it goes."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

import typer

from driftwheel import Client
from driftwheel.cli.output import AsJson, columns, document, line
from driftwheel.cli.session import Commands, client, run
from driftwheel.errors import NotFound
from driftwheel.quarantine import Quarantined, chosen, grouped, quarantined, replayed_place, shown

app = typer.Typer(
    cls=Commands, help="Records that validation has refused: look, replay.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Name of the model.")]
Field = Annotated[str | None, typer.Option(help="Only where this field is at fault.")]
Reason = Annotated[str | None, typer.Option(help="Only where the reason holds this text.")]
Places = Annotated[
    list[str] | None,
    typer.Option("--offset", help="Only this partition:offset; may be repeated."),
]


@app.command("list")
def list_records(
    ctx: typer.Context,
    model: Name,
    field: Field = None,
    reason: Reason = None,
    number: Annotated[int, typer.Option("-n", min=0, help="Show the last so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was refused, counted by field and reason."""
    found = chosen(run(_read(ctx, model)), field=field, reason=reason)
    if as_json:
        for record in found:
            document(record.document())
        return
    counts = grouped(found)
    columns(("count", "fields", "reason"), [(n, *group) for group, n in counts.items()])
    line("")
    last = found[-number:] if number else []
    rows = [(r.place, r.time, ", ".join(r.fields), r.reason) for r in last]
    columns(("offset", "time", "fields", "reason"), rows)
    line(
        f"{len(found):,} records, {len(last):,} shown. One in full: quarantine show {model} OFFSET"
    )


@app.command("show")
def show(
    ctx: typer.Context,
    model: Name,
    place: Annotated[str, typer.Argument(help="partition:offset, as `list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show one record in full: original bytes, key, headers."""
    found = chosen(run(_read(ctx, model)), places=[place])
    if not found:
        raise NotFound(f"There is no quarantined record {place} of {model}.")
    (record,) = found
    if as_json:
        document(record.document())
        return
    for name, value in record.document().items():
        if name not in ("value", "headers"):
            line(f"{name:<8}{', '.join(value) if isinstance(value, list) else value}")
    for header, content in record.original.headers:
        line(f"header  {header}: {shown(content)}")
    line(f"value   {shown(record.original.value)}")


@app.command("replay")
def replay(
    ctx: typer.Context,
    model: Name,
    field: Field = None,
    reason: Reason = None,
    places: Places = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were replayed before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be replayed, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish the original bytes and key to where they came from; validation judges them anew."""

    async def work() -> tuple[int, int]:
        async with client(ctx) as connected:
            every = await _all(connected, model)
            found = chosen(every, places=places or (), field=field, reason=reason)
            wanted = _replayable(connected, model, found)
            done = set() if again else await _replayed(connected, model, wanted)
            fresh = [record for record in wanted if record.place not in done]
            if not dry_run:
                await _send(connected, fresh)
            return len(fresh), len(wanted) - len(fresh)

    count, skipped = run(work())
    if as_json:
        document({"model": model, "replayed": count, "skipped": skipped, "dry_run": dry_run})
        return
    verb = "would be replayed" if dry_run else "replayed"
    before = f", {skipped:,} were replayed before (--again includes them)" if skipped else ""
    line(f"{count:,} records {verb}{before}.")


async def _read(ctx: typer.Context, model: str) -> list[Quarantined]:
    async with client(ctx) as connected:
        return await _all(connected, model)


async def _all(connected: Client, model: str) -> list[Quarantined]:
    return [quarantined(raw) async for raw in connected.records(model, "events.quarantined")]


async def _replayed(connected: Client, model: str, wanted: list[Quarantined]) -> set[str]:
    """Find the places that were replayed: their copies came after the oldest of them."""
    if not wanted:
        return set()
    since = min(record.appended_ms for record in wanted)
    places = set()
    for kind in ("events", "labels"):
        async for raw in connected.records(model, kind, start=since):
            if place := replayed_place(raw):
                places.add(place)
    return places


def _replayable(connected: Client, model: str, records: list[Quarantined]) -> list[Quarantined]:
    """Keep what has bytes and came from a topic of this model that users write; name the rest."""
    allowed = {connected.endpoints.data(model, kind) for kind in ("events", "labels")}
    kept = []
    for record in records:
        if record.topic not in allowed:
            line(f"{record.place}: came from {record.topic!r}, not replayed there", error=True)
        elif record.original.value is None:
            line(f"{record.place}: holds no bytes (empty, or too large to keep)", error=True)
        else:
            kept.append(record)
    return kept


async def _send(connected: Client, records: list[Quarantined]) -> None:
    by_topic: dict[str, list[Quarantined]] = defaultdict(list)
    for record in records:
        by_topic[record.topic].append(record)
    for topic, group in by_topic.items():
        await connected.send(topic, [record.replay() for record in group])

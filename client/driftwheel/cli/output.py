"""What commands print: plain lines, aligned columns, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one document per line.")]


def line(text: str, *, error: bool = False) -> None:
    """Print text that may come from users: nothing in it can steer the terminal."""
    safe = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    typer.echo("".join(safe), err=error)


def document(content: Any) -> None:
    """Print one JSON document on one line."""
    typer.echo(json.dumps(content, default=str))


def columns(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in aligned columns, as wide as they need to be."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *texts, strict=True)]
    for row in (titles, *texts):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line("  ".join(cells).rstrip())


def moment(time: datetime) -> str:
    """Write a time for a reader, in UTC to the minute."""
    return time.strftime("%Y-%m-%d %H:%M")


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)

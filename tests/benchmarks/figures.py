"""Tables on the terminal and JSON in a folder; lists of numbers are samples, one per round."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]

SUMMARY = (
    "serving_echo_ratio",
    "validation_echo_ratio",
    "monitor_echo_ratio",
    "latency_added_p50_ms_5k",
    "latency_added_p99_ms_5k",
    "http_constant_ratio",
    "http_vs_mlserver",
    "chain_events_per_s",
)

ASIDE = frozenset({"per_s", "rss_mb", "kafka_us", "redis_us"})


def table(title: str, rows: Sequence[Row]) -> Table:
    """Lay out rows; samples as median (least-greatest), what is beside the point as median."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    laid = Table(title=title, title_justify="left")
    for name in columns:
        numeric = any(not isinstance(row.get(name, ""), str) for row in rows)
        laid.add_column(name.replace("_", " "), justify="right" if numeric else "left")
    for row in rows:
        laid.add_row(*(_cell(row.get(name), spread=name not in ASIDE) for name in columns))
    return laid


def middle(samples: Sequence[float]) -> float | None:
    """Take the median; None of nothing."""
    return median(samples) if samples else None


def write(folder: Path, name: str, rows: Sequence[Row]) -> None:
    """Write one benchmark's rows with the machine they were measured on."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "cpu": _cpu()}
    document = {"benchmark": name, "on": machine, "rows": [_spelled(row) for row in rows]}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1))


def summarise(folder: Path, figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Update the flat summary; what was never measured is null."""
    file = folder / "summary.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    summary = {name: figures.get(name, known.get(name)) for name in SUMMARY}
    file.write_text(json.dumps(summary, indent=1))
    return summary


def show(console: Console, title: str, rows: Iterable[Row]) -> None:
    """Print rows: a table for each race, or for each set of columns where there are no races."""
    tables: dict[Any, list[Row]] = {}
    for row in rows:
        tables.setdefault(row.get("race", tuple(row)), []).append(row)
    for race, own in tables.items():
        name = f"{title}: {race}" if isinstance(race, str) else title
        console.print(table(name, [_without_race(row) for row in own]))


def _without_race(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "race"}


def _cell(value: Any, *, spread: bool) -> str:
    if isinstance(value, list) and len(value) > 1 and spread:
        return f"{_number(median(value))} ({_number(min(value))}-{_number(max(value))})"
    if isinstance(value, list):
        value = middle(value)
    return _number(value) if isinstance(value, int | float) else value or ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _spelled(row: Row) -> dict[str, Any]:
    return {
        name: {"median": middle(value), "samples": value} if isinstance(value, list) else value
        for name, value in row.items()
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")

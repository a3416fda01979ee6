"""What the study found: tables for the terminal, and a document with every figure."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks.drift import counting
from tests.benchmarks.drift.head import PROMISE
from tests.benchmarks.drift.judging import OURS, Delay, Quiet, behind
from tests.benchmarks.figures import Row, middle, table

TOO_DEAR = "[{}]"


def report(quiet: Sequence[Quiet], delays: Sequence[Delay], counted: Sequence[Row]) -> Row:
    """Put the study's figures into one document.

    Args:
        quiet: merged.
        delays: pooled.
        counted: rows of the counting benchmark.

    Returns:
        The three headlines first; a delay that never ended is null.

    """
    worst = max((one for one in quiet if one.rule == OURS), key=lambda one: one.bound)
    faster = behind(quiet, delays, PROMISE)
    return {
        "worst_false_alarm_times_n": PROMISE * max(one.rate for one in quiet if one.rule == OURS),
        "worst_false_alarm_times_n_at_most": PROMISE * worst.bound,
        "rows_behind": len({(one.setting, one.rows, one.drift) for one in faster}),
        "counting_floor_ratio": counting.ratio(counted),
        "counting_rows_per_s": middle(counted[0]["rows_per_cpu_s"]),
        "promise": PROMISE,
        "on": {"cpus": os.cpu_count(), "machine": platform.machine()},
        "behind": [_delay(one) for one in faster],
        "false_alarms": [_quiet(one) for one in sorted(quiet, key=_order)],
        "delays": [_delay(one) for one in sorted(delays, key=_order)],
        "counting": list(counted),
    }


def write(folder: Path, document: Row) -> None:
    """Write the document to drift.json, its tables to drift.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drift.json").write_text(json.dumps(document, indent=1, allow_nan=False))
    parts = [f"**{title}**\n\n{_markdown(rows)}\n" for title, rows in _tables(document)]
    (folder / "drift.md").write_text("\n".join(parts))


def show(console: Console, document: Row) -> None:
    """Print the tables and the headlines."""
    for title, rows in _tables(document):
        console.print(table(title, rows))
    console.print(table("Counting", document["counting"]))
    for name in list(document)[:5]:
        console.print(f"{name}: {document[name]:,.3g}")


def _tables(document: Row) -> list[tuple[str, Sequence[Row]]]:
    alarms, delays = document["false_alarms"], document["delays"]
    kept = {(row["rule"], row["setting"], row["n"]) for row in alarms if row["keeps"]}
    of = {True: "labels", False: "features"}
    return [
        *(
            (
                f"False alarms in windows, {name} (upper end of the 95 % interval, per window)",
                _by_rule([row for row in alarms if _of_labels(row) is labelled]),
            )
            for labelled, name in of.items()
        ),
        *(
            (
                f"Windows from the drift to the alarm, {name}: median (nine in ten)",
                _side_by_side([row for row in delays if _of_labels(row) is labelled], kept),
            )
            for labelled, name in of.items()
        ),
    ]


def _of_labels(row: Row) -> bool:
    return bool(row["setting"].startswith("labels"))


def _markdown(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names)]
    lines += [[str(row.get(name, "")) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _order(one: Quiet | Delay) -> tuple[str, int, bool]:
    return one.setting, one.rows, not one.rule.startswith(OURS)


def _quiet(one: Quiet) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "setting": one.setting,
        "n": one.rows,
        "windows": one.windows,
        "alarms": one.alarms,
        "per_window": one.rate,
        "at_most": one.bound,
        "keeps": one.rate <= 1 / PROMISE,
    }


def _delay(one: Delay) -> dict[str, Any]:
    return {
        "drift": one.drift,
        "setting": one.setting,
        "n": one.rows,
        "rule": one.rule,
        "median": _finite(one.median),
        "nine_in_ten": _finite(one.ninth),
        "found": one.found,
        "repetitions": len(one.windows),
        "alarm_per_window": one.seen,
    }


def _finite(windows: float) -> float | None:
    return windows if isfinite(windows) else None


def _by_rule(alarms: Sequence[Row]) -> list[Row]:
    """Lay out a setting per row, a rule per column."""
    laid: dict[tuple[str, int], dict[str, str]] = {}
    for row in alarms:
        if ":" in row["rule"]:  # one of our detectors alone
            continue
        key = row["setting"], row["n"]
        line = laid.setdefault(key, {"setting": key[0], "n": f"{key[1]:,}"})
        line[row["rule"]] = f"{row['alarms']:,} / {row['windows']:,} ({row['at_most']:.2g})"
    return list(laid.values())


def _side_by_side(
    delays: Sequence[Row], kept: set[tuple[str, str, int]]
) -> list[Mapping[str, str]]:
    """Lay out a drift per row, a rule per column."""
    laid: dict[tuple[str, str, int], dict[str, str]] = {}
    for row in delays:
        key = row["drift"], row["setting"], row["n"]
        line = laid.setdefault(key, {"drift": key[0], "setting": key[1], "n": f"{key[2]:,}"})
        cell = f"{_wait(row['median'])} ({_wait(row['nine_in_ten'])})"
        cheap = (row["rule"], row["setting"], row["n"]) in kept
        line[row["rule"]] = cell if cheap else TOO_DEAR.format(cell)
    return list(laid.values())


def _wait(windows: float | None) -> str:
    return "-" if windows is None else f"{windows:.0f}"

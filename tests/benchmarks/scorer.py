"""The scorer: CPU of a row in the kernel and in LightGBM's library; the kernel's start.

`python -m tests.benchmarks.scorer --json FILE`
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from services.serving.domain.trees import Forest
from shared.columns import Columns
from shared.models import Boosted, Matrix, Scores
from tests.benchmarks import figures
from tests.boosted import KINDS, trained

FEATURES, TRAINING_ROWS, SCORED = 15, 20_000, 4000
ROUNDS = {  # of boosting
    "numeric": 200,
    "missing": 200,
    "zero_as_missing": 200,
    "categorical": 200,
    "regression": 200,
    "multiclass": 70,
    "wide": 200,
    "leaves_255": 100,
}
BATCHES = (1000, 64, 1)
ALL_BATCHES = "numeric"
START = """
import psutil, sys, time
from services.serving.domain.trees.forest import Forest
text, process = open(sys.argv[1]).read(), psutil.Process()
cpu, memory = time.process_time(), process.memory_info().rss
Forest.of(text)
print(time.process_time() - cpu, (process.memory_info().rss - memory) / 2**20)
"""


def measure(rounds: int) -> list[dict[str, Any]]:
    """Measure every kind of model, ours and the library in turns.

    Args:
        rounds: samples of each figure.

    Returns:
        Rows for `figures.show`: microseconds of CPU per row; then the start, in CPU seconds and MB.

    """
    rows = []
    for name in ROUNDS:
        text, matrix = _model(name)
        model, forest = (
            Boosted(Columns(tuple(map(str, range(FEATURES))), {}), text),
            Forest.of(text),
        )
        for batch in BATCHES if name == ALL_BATCHES else BATCHES[:1]:
            parts = [matrix[start : start + batch] for start in range(0, SCORED, batch)]
            samples = [
                (_cost(forest.scores, parts), _cost(model.scores, parts)) for _ in range(rounds)
            ]
            rows.append(
                {
                    "figure": "CPU us per row",
                    "model": f"{name}, {len(forest.trees.trees)} trees",
                    "batch": batch,
                    "kernel": [kernel for kernel, _ in samples],
                    "library": [library for _, library in samples],
                    "times faster": [library / kernel for kernel, library in samples],
                }
            )
    return [*rows, *_starts(rounds)]


def _model(name: str) -> tuple[str, Matrix]:
    kind = replace(KINDS[name], rounds=ROUNDS[name])
    booster, matrix = trained(kind, TRAINING_ROWS, FEATURES)
    return booster.model_to_string(), np.ascontiguousarray(matrix[:SCORED])


def _cost(scores: Callable[[Matrix], Scores], parts: list[Matrix]) -> float:
    began = time.process_time()
    for part in parts:
        scores(part)
    return (time.process_time() - began) / SCORED * 1e6


def _starts(rounds: int) -> list[dict[str, Any]]:
    """Build the first forest of a process, without and with what numba has kept."""
    started: dict[str, list[list[float]]] = {"compiled": [], "from numba's cache": []}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.txt")
        file.write_text(_model(ALL_BATCHES)[0])
        for number in range(rounds):
            cache = {"NUMBA_CACHE_DIR": str(Path(folder, str(number)))}
            for figures_of in started.values():
                done = subprocess.run(
                    [sys.executable, "-c", START, str(file)],
                    env={**os.environ, **cache},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                figures_of.append([float(figure) for figure in done.stdout.split()])
    return [
        {
            "figure": "First model of a process",
            "kernel": how,
            "CPU s": [seconds for seconds, _ in samples],
            "MB": [megabytes for _, megabytes in samples],
        }
        for how, samples in started.items()
    ]


def main(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 5,
    file: Annotated[Path | None, typer.Option("--json", help="Where the rows are written.")] = None,
) -> None:
    """Measure, print a table, write JSON."""
    rows = measure(rounds)
    figures.show(Console(), "scorer", rows)
    if file is not None:
        file.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    typer.run(main)

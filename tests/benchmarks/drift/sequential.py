"""Detectors that take one value after the other: river's, asked in an environment of their own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.drift.columns import Values

NAMES = ("ADWIN", "Page-Hinkley")
WORKER = Path(__file__).with_name("sequential_worker.py")


def alarms(
    environment: Path, streams: Sequence[Values], onsets: Sequence[int] | None = None
) -> Mapping[str, Sequence[Sequence[int]]]:
    """Let river's detectors, with their default settings, follow streams.

    Args:
        environment: folder of river's.
        streams: of each, its values.
        onsets: where each one's drift begins: it is left at its first alarm since; None: never.

    Returns:
        By detector, and for each stream, the places of its alarms.

    """
    lengths = [len(values) for values in streams]
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        np.save(at / "values.npy", np.concatenate(streams))
        (at / "streams.json").write_text(json.dumps([lengths, onsets or lengths]))
        python = environment / "bin" / "python"
        subprocess.run([str(python), "-I", str(WORKER), folder], check=True)
        found: Mapping[str, Sequence[Sequence[int]]] = json.loads((at / "alarms.json").read_text())
    return found


def first_since(places: Sequence[int], onset: int) -> float:
    """Find a stream's first alarm from the onset on; inf: there was none."""
    return next((float(place) for place in places if place >= onset), np.inf)

"""river's ADWIN and Page-Hinkley, in river's own environment: nothing of ours is imported here.

`python -I sequential_worker.py FOLDER` reads values.npy, all streams one after the other, and
streams.json, each one's length and the place where it may be left at its first alarm; writes
alarms.json: per detector and stream, the places of its alarms.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from river.drift import ADWIN, PageHinkley

DETECTORS = {"ADWIN": ADWIN, "Page-Hinkley": PageHinkley}  # as they come


def alarms(detector: ADWIN | PageHinkley, values: list[float], onset: int) -> Iterator[int]:
    for place, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            yield place
            if place >= onset:
                return


def main(folder: Path) -> None:
    values = np.load(folder / "values.npy")
    lengths, onsets = json.loads((folder / "streams.json").read_text())
    streams = [part.tolist() for part in np.split(values, np.cumsum(lengths)[:-1])]
    found = {
        name: [
            list(alarms(detector(), own, onset)) for own, onset in zip(streams, onsets, strict=True)
        ]
        for name, detector in DETECTORS.items()
    }
    (folder / "alarms.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

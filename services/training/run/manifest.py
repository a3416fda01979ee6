"""What a model was made from, by digest: written beside its files, the same on every rebuild."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from contracts.training import Dataset
from services.training.ports import Job
from services.training.run.search import Found
from services.training.run.trainers import BoostedTrainer

ROOT = Path(__file__).parents[3]
CODE = (
    "services/training/run",
    "services/training/domain",
    "shared/columns.py",
    "shared/drift",
    "shared/models.py",
    "shared/losses.py",
)
LIBRARIES = ("lightgbm", "numpy", "pyarrow", "scipy")


def manifest(job: Job, dataset: Dataset, learned: int, found: Found) -> bytes:
    """Write the manifest as sorted JSON: no clock, no thread count, no path of this machine."""
    spec = job.declaration.spec
    boosted = found.recipe.algorithm == "lightgbm"
    parameters = BoostedTrainer(1).parameters(spec) if boosted else {}
    content: dict[str, Any] = {
        "run_id": job.run_id,
        "declaration": job.declaration_digest,
        "dataset": {
            **dataset.model_dump(mode="json", exclude={"uri"}),
            "until": job.until.isoformat(),
            "since": job.since and job.since.isoformat(),
            "excluded": [span.model_dump(mode="json") for span in job.excluded],
            "learned_rows": learned,
        },
        "recipe": {"name": found.recipe.name, "rounds": found.rounds, "parameters": parameters},
        "code": _digest(_sources()),
        "lock": _digest([ROOT / "requirements.lock"]),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    return json.dumps(content, sort_keys=True, indent=1).encode()


def _sources() -> list[Path]:
    chosen: list[Path] = []
    for name in CODE:
        path = ROOT / name
        chosen += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return chosen


def _digest(paths: Iterable[Path]) -> str | None:
    """Digest files by name and content; None where they are not installed."""
    found = [path for path in paths if path.is_file()]
    if not found:
        return None
    content = hashlib.sha256()
    for path in found:
        body = path.read_bytes()
        content.update(f"{path.relative_to(ROOT).as_posix()}:{len(body)}:".encode() + body)
    return content.hexdigest()

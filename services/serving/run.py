"""The child process that first opens a model: what would end or hang it ends only the child.

Called as `python -m services.serving.run ROOT DIGEST CPU_S MEMORY_MB` with rows as JSON on standard
input; exit code 0 says that the model loads and gives finite scores for them.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np

from shared.artifacts import Artifacts
from shared.models import load


def limit(cpu_s: int, memory_mb: int) -> None:
    """Let the kernel end this process when it takes more, and keep its core file to itself."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(root: str, digest: str, cpu_s: str, memory_mb: str) -> str | None:
    """Load a model and score the rows; answers what is wrong, None when nothing is."""
    limit(int(cpu_s), int(memory_mb))
    scores = load(Artifacts(Path(root)).get(digest)).score(json.load(sys.stdin))
    return None if np.isfinite(scores).all() else "its scores are not finite"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

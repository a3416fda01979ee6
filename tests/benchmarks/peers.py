"""Environments of their own for the peers whose dependencies must not meet ours."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

INSTALL_S = 900


class Missing(Exception):
    """A peer cannot be installed here; the text says why."""


def environment(folder: Path, name: str, *packages: str) -> Path:
    """Install packages, once, beside the LightGBM that we measure with.

    Args:
        folder: where environments are kept.
        name: of this one.
        packages: as pip spells them.

    Returns:
        Its folder.

    Raises:
        Missing: pip could not do it.

    """
    place = (folder / "peers" / name).resolve()
    python, ready = place / "bin" / "python", place / "ready"
    wanted = "\n".join((*packages, f"lightgbm=={version('lightgbm')}", "psutil"))
    if ready.exists() and ready.read_text() == wanted:
        return place
    commands = (
        (sys.executable, "-m", "venv", "--clear", str(place)),
        (str(python), "-m", "pip", "install", "--quiet", *wanted.splitlines()),
    )
    for command in commands:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise Missing(f"{name} is not measured: it could not be installed ({last[:200]})")
    ready.write_text(wanted)
    return place

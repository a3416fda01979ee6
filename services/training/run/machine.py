"""How a run behaves towards its machine: polite, and never longer alive than its service."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
from pathlib import Path

NICE = 5
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def stand_back(parent: int | None) -> None:
    """Yield to the services, and die with process `parent` if one is named.

    Raises:
        SystemExit: the parent is gone already.

    """
    os.nice(NICE)
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the service that started this run is gone")


def threads() -> int:
    """Count the processors that this process may use: affinity and the container's quota."""
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    quota, _, period = (CPU_QUOTA.read_text().strip() if CPU_QUOTA.exists() else "max").partition(
        " "
    )
    if quota != "max":
        available = min(available, math.ceil(int(quota) / int(period)))
    return max(1, available)

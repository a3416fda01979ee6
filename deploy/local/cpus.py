"""How many processors we may use, which in a container is fewer than the machine has."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """Return the smaller of the CPU affinity and the cgroup's quota (v2 or v1), at least 1."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        allowed = os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(allowed, math.ceil(quota))) if quota else allowed


def _quota(cgroup: Path) -> float | None:
    """Return the cgroup's limit in processors; None without one."""
    unified = cgroup / "cpu.max"
    files = [unified] if unified.exists() else [
        cgroup / "cpu" / "cpu.cfs_quota_us",
        cgroup / "cpu" / "cpu.cfs_period_us",
    ]  # fmt: skip
    words = " ".join(file.read_text() for file in files if file.exists()).split()
    if len(words) != 2 or words[0] in ("max", "-1"):
        return None
    return int(words[0]) / int(words[1])

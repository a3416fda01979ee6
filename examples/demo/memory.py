"""Peak memory of the processes of a stack."""

from __future__ import annotations

import psutil


class Memory:
    """Remembers the largest sum of resident sizes it has seen."""

    def __init__(self, pids: dict[str, int]) -> None:
        self.kafka = pids.get("kafka")
        self.ours = [pid for name, pid in pids.items() if name not in ("kafka", "supervisor")]
        self.peak_ours = 0
        self.peak_kafka = 0

    def look(self) -> None:
        """Measure now; children, such as a training run, count with their parent."""
        self.peak_ours = max(self.peak_ours, sum(_resident(pid) for pid in self.ours))
        if self.kafka is not None:
            self.peak_kafka = max(self.peak_kafka, _resident(self.kafka))

    def megabytes(self) -> dict[str, float] | None:
        """Return the peaks in MB; None of processes that others have started."""
        if not self.ours:
            return None
        return {"ours": round(self.peak_ours / 1e6, 1), "kafka": round(self.peak_kafka / 1e6, 1)}


def _resident(pid: int) -> int:
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(_own(member) for member in family)
    except psutil.NoSuchProcess:
        return 0


def _own(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0

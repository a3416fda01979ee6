"""Workers as processes: started for one job, ended with it, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from deploy.local.leash import leash
from tests.benchmarks.job import Job

QUIET = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", "DRIFTWHEEL_LOG_LEVEL": "WARNING"}
PATIENCE_S = 30.0


class Broken(Exception):
    """A worker did not do its job; the text shows the end of what it wrote."""


@dataclass
class Worker:
    """A running worker.

    Attributes:
        log: what it complains about; read when it has failed.

    """

    job: Job
    process: subprocess.Popen[str]
    log: IO[str]

    def reading(self, seconds: float) -> dict[str, float]:
        """Wait for what its meter read.

        Raises:
            Broken: it failed, or was not done in time.

        """
        try:
            said, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise self._broken(f"was not done within {seconds:g} s") from error
        if self.process.returncode != 0 or not said:
            raise self._broken(f"ended with {self.process.returncode}")
        found: dict[str, float] = json.loads(said.splitlines()[-1])
        return found

    def stopped(self) -> dict[str, float]:
        """Ask a worker without end to stop, and take what its meter read."""
        self.process.send_signal(signal.SIGUSR1)
        return self.reading(PATIENCE_S)

    def end(self) -> None:
        """End it and what it has started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def _broken(self, what: str) -> Broken:
        self.log.seek(0)
        return Broken(f"{self.job.variant} {what}; its last words:\n{self.log.read()[-3000:]}")


@contextmanager
def worker(
    job: Job, environment: Mapping[str, str], python: Path = Path(sys.executable)
) -> Iterator[Worker]:
    """Run a worker for the body; it and what it has started are gone afterwards."""
    own = {
        "DRIFTWHEEL_KAFKA": job.kafka,
        "DRIFTWHEEL_REDIS": job.redis,
        "DRIFTWHEEL_PREFIX": job.prefix,
        "DRIFTWHEEL_STATE": job.state,
    }
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            (str(python), "-m", "tests.benchmarks.worker", json.dumps(asdict(job))),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **QUIET, **own, **environment},
            start_new_session=True,
            text=True,
        )
        leash().hold(job.variant, process.pid)
        running = Worker(job, process, log)
        try:
            yield running
        finally:
            running.end()

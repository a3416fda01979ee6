"""Runs as child processes: job and result are files, progress comes line by line."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from services.training.ports import Job, Result, RunFailed
from shared.telemetry import Telemetry

LONGEST_REASON = 500


class ChildLauncher:
    """Starts `python -m services.training.run`, and ends it with the service.

    Args:
        folder: a folder per run; it keeps the job, so that an interrupted run is done again alike.
        timeout_s: of one run.

    """

    def __init__(self, telemetry: Telemetry, folder: Path, timeout_s: float) -> None:
        self.telemetry, self.folder, self.timeout_s = telemetry, folder, timeout_s

    async def run(self, job: Job) -> Result:
        """Carry out a run; a job or a result that is already there is used."""
        folder = self.folder / job.run_id
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "job.json").exists():
            unfinished = folder / "job.unfinished"
            unfinished.write_text(job.model_dump_json(indent=1))
            unfinished.replace(folder / "job.json")
        if not (folder / "result.json").exists():
            await self._execute(job.run_id, folder)
        return Result.model_validate_json((folder / "result.json").read_text())

    async def _execute(self, run_id: str, folder: Path) -> None:
        errors = folder / "errors.log"
        with errors.open("wb") as sink:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.training.run", str(folder / "job.json")),
                *("--parent", str(os.getpid())),
                stdout=asyncio.subprocess.PIPE,
                stderr=sink,
                env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"},
            )
        try:
            async with asyncio.timeout(self.timeout_s):
                assert child.stdout is not None
                async for line in child.stdout:
                    about = {"run_id": run_id, "progress": line.decode("utf-8", "replace").strip()}
                    self.telemetry.log.info("run", extra={"fields": about})
                code = await child.wait()
        except TimeoutError as error:
            raise RunFailed(f"the run took longer than {self.timeout_s:g} s") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if code != 0:
            said = errors.read_text(errors="replace").strip()[-LONGEST_REASON:]
            raise RunFailed(f"the run ended with code {code}; {errors} ends with: {said}")

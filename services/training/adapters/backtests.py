"""Backtests as child processes: the question goes in, JSON lines come out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from services.training.ports import BUSY, Question
from shared.telemetry import Telemetry

CHUNK = 1 << 16
LONGEST_REASON = 500
NOT_UNDERSTOOD = 2


class ChildBacktests:
    """Starts `python -m services.training.run.backtest`, one at a time, and ends it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self._child: asyncio.subprocess.Process | None = None
        self._taken = False

    async def start(self) -> None:
        """Wait to be asked."""

    async def stop(self) -> None:
        """End the one that goes on."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()

    def unready(self) -> str | None:
        """Nothing keeps it."""
        return None

    def busy(self) -> bool:
        """Tell whether one goes on."""
        return self._taken

    async def lines(self, question: Question) -> AsyncIterator[bytes]:
        """Carry one out; closing the iterator ends it."""
        if self._taken:
            yield _error(BUSY)
            return
        self._taken = True
        try:
            with tempfile.TemporaryFile() as errors:
                async for chunk in self._answer(question, errors):
                    yield chunk
        finally:
            if self._child is not None and self._child.returncode is None:
                # No waiting here: who has gone away cancels whatever would wait.
                self._child.kill()
            self._child, self._taken = None, False

    async def _answer(self, question: Question, errors: IO[bytes]) -> AsyncIterator[bytes]:
        self._child = child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.training.run.backtest"),
            *("--parent", str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(question.model_dump_json().encode())
        child.stdin.write_eof()
        torn = b""
        while chunk := await child.stdout.read(CHUNK):
            whole, end, torn = (torn + chunk).rpartition(b"\n")
            if end:
                yield whole + end
        if code := await child.wait():
            yield _error(self._reason(code, errors))

    def _reason(self, code: int, errors: IO[bytes]) -> str:
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
        if code == NOT_UNDERSTOOD:
            return said
        self.telemetry.log.error("a backtest ended with code %d: %s", code, said)
        return f"the backtest ended with code {code}: {said[-LONGEST_REASON:]}"


def _error(text: str) -> bytes:
    return json.dumps({"error": text}).encode() + b"\n"

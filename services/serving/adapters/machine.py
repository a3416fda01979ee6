"""Machine code for single rows: compiled in a child process, mapped and called in this one.

`python -m services.serving.adapters.machine` is the child; it writes the code to standard output.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from ctypes import PYFUNCTYPE, c_char, c_int, c_size_t, c_void_p
from functools import partial
from threading import Lock

from services.serving.domain.trees import Code

CHILD = "services.serving.adapters.machine"
LONGEST_S = 120
READ_AND_RUN = mmap.PROT_READ | mmap.PROT_EXEC
SCALAR = {"NUMBA_LOOP_VECTORIZE": "0", "NUMBA_SLP_VECTORIZE": "0"}
Function = PYFUNCTYPE(c_int, *[c_void_p] * 6)


class Machine:
    """Has the code once it is asked for: the first call takes seconds, others wait for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._code: Code | ValueError | None = None

    def load(self) -> None:
        """Have it compiled, whatever comes of that."""
        with self._lock:
            if self._code is None:
                try:
                    self._code = mapped(written())
                except ValueError as error:
                    self._code = error

    def code(self) -> Code:
        """Answer the code.

        Raises:
            ValueError: this machine compiles or runs none; says why.

        """
        self.load()
        if isinstance(self._code, ValueError):
            raise self._code
        assert self._code is not None
        return self._code


def written() -> bytes:
    """Let a child compile the code: what it needs for that takes a hundred megabytes.

    Raises:
        ValueError: it could not; says why.

    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", CHILD],
            capture_output=True,
            timeout=LONGEST_S,
            env={**os.environ, **SCALAR},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"no code for single rows within {LONGEST_S} s") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
        raise ValueError(f"no code for single rows: {last[0][:300]}")
    return done.stdout


def mapped(code: bytes) -> Code:
    """Make code callable; it is never writable and executable at once.

    Raises:
        ValueError: the system does not allow it.

    """
    memory = mmap.mmap(-1, len(code))
    memory.write(code)
    start = c_char.from_buffer(memory)
    system, address = ctypes.CDLL(None, use_errno=True), ctypes.addressof(start)
    if system.mprotect(c_void_p(address), c_size_t(len(code)), READ_AND_RUN):
        raise ValueError(f"code cannot be run: {os.strerror(ctypes.get_errno())}")
    function, nowhere = Function(address), ctypes.create_string_buffer(16)
    # The function does not keep what it stands in.
    function.memory = (start, nowhere)  # type: ignore[attr-defined]
    return partial(function, ctypes.addressof(nowhere), ctypes.addressof(nowhere))


if __name__ == "__main__":
    from services.serving.domain.trees.walk import machine_code

    sys.stdout.buffer.write(machine_code())

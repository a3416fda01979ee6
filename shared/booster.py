"""LightGBM's own library, without the Python package around it: 150 MB and seconds less."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import weakref
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_double, c_int, c_int64, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FLOAT64, NORMAL, ALL = 1, 0, -1
ONE_THREAD = b"num_threads=1"  # more would spin on busy cores
ENDINGS = {"win32": "dll", "darwin": "dylib"}


class Booster:
    """A model that LightGBM itself predicts, on the caller's thread.

    Several threads may predict at once. The library's memory is given back with the last
    reference to this object.

    Args:
        text: the model as LightGBM writes it. A damaged one may end the process: open what is not
            known to be whole in a child first.

    Attributes:
        features: number of values in a row.
        classes: number of scores of a row.

    Raises:
        ValueError: the text is cut off, or LightGBM refuses it; says why.

    """

    def __init__(self, text: str) -> None:
        if not _whole(text):
            raise ValueError("the model's text is cut off")
        self._library, single_row = _libraries()
        self._handle, self._single = c_void_p(), c_void_p()
        weakref.finalize(self, _free, self._library, self._handle, self._single).atexit = False
        self._call("BoosterLoadModelFromString", text.encode(), byref(c_int()), byref(self._handle))
        self.features = self._number("BoosterGetNumFeature")
        self.classes = self._number("BoosterGetNumClasses")
        prediction = (NORMAL, 0, ALL, FLOAT64, self.features, ONE_THREAD)
        self._call(
            "BoosterPredictForMatSingleRowFastInit", self._handle, *prediction, byref(self._single)
        )
        self._predict_row = single_row.LGBM_BoosterPredictForMatSingleRowFast
        self._row = struct.Struct(f"{self.features}d")
        self._answer = c_double * self.classes

    def predict(self, rows: int, matrix: int, scores: int, *, row_major: bool) -> None:
        """Score many rows without the interpreter's lock.

        Args:
            rows: how many.
            matrix: address of rows x features float64.
            scores: address of rows x classes float64, row by row, to be written.
            row_major: whether the matrix is row by row; otherwise column by column.

        """
        where = (self._handle, c_void_p(matrix), FLOAT64, rows, self.features, int(row_major))
        what = (NORMAL, 0, ALL, ONE_THREAD, byref(c_int64()), c_void_p(scores))
        self._call("BoosterPredictForMat", *where, *what)

    def predict_row(self, values: Sequence[float]) -> float | list[float]:
        """Score one row, the interpreter's lock kept: giving it up costs more than the prediction.

        Args:
            values: one per feature; NaN is missing.

        Returns:
            The score, or one per class.

        Raises:
            ValueError: these are not as many numbers as there are features.

        """
        try:
            row = self._row.pack(*values)
        except struct.error as error:
            raise ValueError(f"a row is {self.features} numbers: {error}") from error
        answer = self._answer()
        if self._predict_row(self._single, row, byref(c_int64()), answer):
            raise _error(self._library)
        return answer[0] if self.classes == 1 else answer[:]

    def _number(self, name: str) -> int:
        number = c_int()
        self._call(name, self._handle, byref(number))
        return number.value

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, f"LGBM_{name}")(*arguments):
            raise _error(self._library)


@cache
def _libraries() -> tuple[ctypes.CDLL, ctypes.PyDLL]:
    """Load the library twice: calls that give the interpreter's lock up, and calls that keep it."""
    # OpenMP reads these when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    package = find_spec("lightgbm")  # finds it, does not import it
    if package is None or not package.submodule_search_locations:
        raise ValueError("LightGBM is not installed: install driftwheel[serving]")
    name = f"lib_lightgbm.{ENDINGS.get(sys.platform, 'so')}"
    path = str(Path(package.submodule_search_locations[0], "lib", name))
    library = ctypes.CDLL(path)
    library.LGBM_GetLastError.restype = c_char_p
    return library, ctypes.PyDLL(path)


def _whole(text: str) -> bool:
    """Tell whether a text has its end: of a cut one LightGBM reads on in other memory."""
    unfinished = "\nparameters:" in text and "\nend of parameters" not in text
    return "\nend of trees" in text and not unfinished


def _error(library: ctypes.CDLL) -> ValueError:
    return ValueError(f"LightGBM: {library.LGBM_GetLastError().decode(errors='replace')}")


def _free(library: ctypes.CDLL, handle: c_void_p, single: c_void_p) -> None:
    if single:
        library.LGBM_FastConfigFree(single)
    if handle:
        library.LGBM_BoosterFree(handle)

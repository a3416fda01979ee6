"""Times as they are written, in both directions, a column at a time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]

SECONDS = "0000-00-00T00:00:00"
FORMS = {
    len(SECONDS + fraction + zone): (SECONDS + fraction, zone)
    for fraction in ("", ".000", ".000000")
    for zone in ("Z", "+00:00")
}
YEAR_ONE = -62_135_596_800_000_000
ZERO, NINE = ord("0"), ord("9")


def microseconds(texts: Sequence[str]) -> tuple[Times, NDArray[np.bool_]]:
    """Read the usual spellings of UTC in RFC 3339: to the second, the milli- or microsecond.

    Returns:
        (n,) microseconds since 1970, and (n,) which texts were read. The others may be times all
        the same: they are for a general reader.

    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    times, read = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    for length in set(lengths.tolist()) & FORMS.keys():
        rows = np.flatnonzero(lengths == length)
        chosen = texts if len(rows) == len(texts) else [texts[row] for row in rows.tolist()]
        times[rows], read[rows] = _of_one_form(chosen, *FORMS[length])
    return times, read


def _of_one_form(texts: Sequence[str], form: str, zone: str) -> tuple[Times, NDArray[np.bool_]]:
    characters = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8)
    cells = characters.reshape(len(texts), -1)
    expected = np.frombuffer((form + zone).encode(), np.uint8)
    right = cells == expected
    digits = np.flatnonzero(expected[: len(form)] == ZERO)
    right[:, digits] = (cells[:, digits] >= ZERO) & (cells[:, digits] <= NINE)
    read = right.all(axis=1)
    try:
        spelled = np.ascontiguousarray(cells[:, : len(form)]).view(f"S{len(form)}").ravel()
        times = np.where(read, spelled, b"1970-01-01").astype("M8[us]").view(np.int64)
    except ValueError:  # a thirtieth of February among them
        return np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    return times, read & (times >= YEAR_ONE)


def written(times: Times) -> list[bytes]:
    """Write microseconds since 1970 as RFC 3339, to the second where that is exact.

    Args:
        times: (n,) from year 1 to 9999.

    """
    if len(times) == 0:
        return []
    text = msgspec.json.encode(times.view("M8[us]").tolist())
    return [moment + b"Z" for moment in text[2:-2].split(b'","')]

"""Copies of predictions: what a producer that has died published twice counts once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

REACH = 5000
SIZE = 8


class Recent:
    """The ids of one partition's latest predictions, as hashes.

    A prediction is a copy where one of the `REACH` offsets before it holds the same id: the log
    alone says so, wherever reading began, provided that so many ids before it were noted.

    Attributes:
        end: offset up to which ids are known.

    """

    def __init__(self) -> None:
        self.end = 0
        self._offsets: dict[int, int] = {}

    def copies(self, ids: bytes, first: int) -> list[int]:
        """Find the offsets of predictions that are copies.

        Args:
            ids: packed, of the offsets that follow those noted.
            first: offset of the first.

        """
        hashes, offsets = _unpacked(ids, first)
        new = dict(zip(hashes, offsets, strict=True))
        if len(new) == len(hashes) and self._offsets.keys().isdisjoint(new):
            return []
        found, latest = list[int](), dict[int, int]()
        for name, offset in zip(hashes, offsets, strict=True):
            before = latest.get(name, self._offsets.get(name, offset - REACH - 1))
            if offset - before <= REACH:
                found.append(offset)
            latest[name] = offset
        return found

    def note(self, ids: bytes, end: int) -> None:
        """Remember packed ids of the offsets before `end`; all up to there is known then."""
        self.end = end
        self._offsets.update(zip(*_unpacked(ids, end - len(ids) // SIZE), strict=True))
        if len(self._offsets) > 4 * REACH:
            self._offsets = {name: at for name, at in self._offsets.items() if end - at <= REACH}


def packed(ids: Sequence[str], offsets: NDArray[np.int64], first: int, end: int) -> bytes:
    """Write n ids by offset, from `first` to `end`: 8 bytes each, zeros where there is none."""
    hashes = np.zeros(end - first, "<u8")
    hashes[offsets - first] = [xxh3_64_intdigest(one.encode()) for one in ids]
    return hashes.tobytes()


def _unpacked(ids: bytes, first: int) -> tuple[list[int], list[int]]:
    hashes = np.frombuffer(ids, "<u8")
    at = np.flatnonzero(hashes)
    return hashes[at].tolist(), (first + at).tolist()

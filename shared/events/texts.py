"""The texts of a vocabulary as an open-addressing hash table that compiled code looks into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shared.events.native import signed, word
from shared.events.words import address, same, tail

SPREAD = np.uint64(0x9E3779B97F4A7C15)
ENTRY = 32  # bytes of a slot


class Table(NamedTuple):
    """Column and text -> code.

    Attributes:
        slots: (2^k, 4) column (-1 of a free slot), start and length in the arena, code.
        arena: the texts, UTF-8, and eight bytes more.

    """

    slots: NDArray[np.int64]
    arena: NDArray[np.uint8]


class Place(NamedTuple):
    """Addresses of a table: its slots, the number of the last one, its texts."""

    slots: int
    last: int
    arena: int


class TextTable:
    """A table that grows with the vocabulary it follows."""

    def __init__(self) -> None:
        self._known: list[int] = []
        self._clear(())

    def follow(self, vocabulary: tuple[list[str], ...]) -> None:
        """Enter the texts that are new; start anew with a new vocabulary."""
        if vocabulary is not self._vocabulary:
            self._clear(vocabulary)
        new = [
            (column, code, text.encode())
            for column, texts in enumerate(vocabulary)
            if len(texts) > self._known[column]
            for code, text in enumerate(texts[self._known[column] :], self._known[column])
        ]
        if new:
            self._enter(new)
            self._known = [len(texts) for texts in vocabulary]

    def _clear(self, vocabulary: tuple[list[str], ...]) -> None:
        self._vocabulary = vocabulary
        self._known = [0] * len(vocabulary)
        self._count = self._used = 0
        self.table = Table(_free(1024), np.zeros(8192, dtype=np.uint8))

    def _enter(self, new: Sequence[tuple[int, int, bytes]]) -> None:
        slots, arena = self.table
        joined = b"".join(text for _, _, text in new)
        start, self._used = self._used, self._used + len(joined)
        if self._used + 8 > len(arena):
            arena = np.concatenate([arena, np.zeros(2 * self._used, dtype=np.uint8)])
        arena[start : self._used] = np.frombuffer(joined, dtype=np.uint8)
        lengths = np.array([len(text) for _, _, text in new])
        entries = np.empty((len(new), 4), dtype=np.int64)
        entries[:, 0] = [column for column, _, _ in new]
        entries[:, 1] = start + np.cumsum(lengths) - lengths
        entries[:, 2] = lengths
        entries[:, 3] = [code for _, code, _ in new]
        self._count += len(new)
        if 2 * self._count > len(slots):
            entries = np.concatenate([slots[slots[:, 0] >= 0], entries])
            slots = _free(1 << (4 * self._count).bit_length())
        self.table = Table(slots, arena)
        enter(self.table, entries)


def _free(slots: int) -> NDArray[np.int64]:
    return np.full((slots, 4), -1, dtype=np.int64)


@njit(cache=True)
def place(table: Table) -> Place:
    """Name where a table lies."""
    return Place(address(table.slots), len(table.slots) - 1, address(table.arena))


@njit(cache=True)
def enter(table: Table, entries: NDArray[np.int64]) -> None:
    """Put entries into free slots."""
    slots, arena = table
    last = len(slots) - 1
    for entry in entries:
        slot = _hash(address(arena) + entry[1], entry[2], entry[0]) & last
        while slots[slot, 0] >= 0:
            slot = (slot + 1) & last
        slots[slot] = entry


@njit(cache=True)
def code_of(table: Place, column: int, at: int, length: int) -> int:
    """Look up the code of the text at an address; -1 if it is not in the table."""
    slot = _hash(at, length, column) & table.last
    entry = table.slots + ENTRY * slot
    owner = signed(word(entry))
    while owner >= 0:
        start, size = signed(word(entry + 8)), signed(word(entry + 16))
        if owner == column and size == length and same(at, table.arena + start, length):
            return signed(word(entry + 24))
        slot = (slot + 1) & table.last
        entry = table.slots + ENTRY * slot
        owner = signed(word(entry))
    return -1


@njit(cache=True)
def _hash(at: int, length: int, column: int) -> int:
    value = np.uint64(column + 1) * SPREAD
    while length > 0:
        part = word(at)
        if length < 8:
            part &= tail(length)
        value = (value ^ part) * SPREAD
        value ^= value >> np.uint64(32)
        at += 8
        length -= 8
    return signed(value >> np.uint64(1))

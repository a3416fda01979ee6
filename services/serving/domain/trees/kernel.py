"""Rows -> scores, 64 rows at a time; `reference.py` says the same in plain words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from services.serving.domain.trees.layout import FULL, Lookups, Numbers, Tables
from services.serving.domain.trees.nodes import WORD, Bytes, Floats
from services.serving.domain.trees.text import ZERO

# numba's cache looks at the date of this file alone: all that is compiled stands in it.

LANES = 64
BIT, BYTE, NUMBER, INDEX = (ir.IntType(bits) for bits in (1, 8, 32, 64))
BLOCK = ir.VectorType(BYTE, LANES)


class Lanes:
    """Writes vector code over 64 bytes at once: loops over bytes alone are a third as fast.

    Args:
        context: numba's,
        builder: numba's.
        kinds: types of the arrays.
        arrays: what is read and written, in the order of their numbers.

    """

    def __init__(self, context: Any, builder: Any, kinds: Any, arrays: Any) -> None:
        self.builder = builder
        self.starts = [
            context.make_array(kind)(context, builder, array).data
            for kind, array in zip(kinds, arrays, strict=True)
        ]

    def item(self, array: int, index: Any) -> Any:
        """Load one item."""
        return self.builder.load(self.builder.gep(self.starts[array], [index]))

    def block(self, array: int, offset: Any) -> Any:
        """Load 64 bytes."""
        return self.builder.load(self._address(array, offset), align=1)

    def store(self, array: int, block: Any) -> None:
        """Write 64 bytes to the start of an array."""
        self.builder.store(block, self._address(array, INDEX(0)), align=1)

    def repeated(self, byte: Any) -> Any:
        """Fill a block with one byte."""
        empty = ir.Constant(BLOCK, ir.Undefined)
        block = self.builder.insert_element(empty, byte, NUMBER(0))
        first = ir.Constant(ir.VectorType(NUMBER, LANES), [0] * LANES)
        return self.builder.shuffle_vector(block, empty, first)

    def lowest(self, bits: Any, base: Any) -> Any:
        """Find the lowest bit of each byte, counted from `base`; without any it is 255."""
        kind = ir.FunctionType(BLOCK, [BLOCK, BIT])
        name = f"llvm.cttz.v{LANES}i8"
        count = cgutils.get_or_insert_function(self.builder.module, kind, name)  # type: ignore[no-untyped-call]
        number = self.builder.add(self.builder.call(count, [bits, BIT(0)]), self.repeated(base))
        none = self.builder.icmp_unsigned("==", bits, ir.Constant(BLOCK, [0] * LANES))
        return self.builder.select(none, ir.Constant(BLOCK, [FULL] * LANES), number)

    def _address(self, array: int, offset: Any) -> Any:
        start = self.builder.gep(self.starts[array], [offset])
        return self.builder.bitcast(start, BLOCK.as_pointer())


def _narrow(
    _: Any,
    codes: Any,
    columns: Any,
    ranks: Any,
    kept: Any,
    bits: Any,
    exits: Any,
    first: Any,
    last: Any,
    base: Any,
) -> Any:
    """Take one word of 64 rows through its steps.

    Of each row r: bits[r] &= kept[s] for s in first..last-1 where codes[columns[s], r] > ranks[s],
    then exits[r] = min(exits[r], base + lowest bit of bits[r]) where it has one.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(context, builder, signature.args[:6], arguments[:6])
        first, last, base = arguments[6:]
        left = cgutils.alloca_once_value(builder, lanes.block(4, INDEX(0)))  # type: ignore[no-untyped-call]
        with cgutils.for_range(builder, last, start=first) as loop:
            column = builder.zext(lanes.item(1, loop.index), INDEX)
            code = lanes.block(0, builder.mul(column, INDEX(LANES)))
            holds = builder.icmp_unsigned("<=", code, lanes.repeated(lanes.item(2, loop.index)))
            remain = builder.or_(
                builder.sext(holds, BLOCK), lanes.repeated(lanes.item(3, loop.index))
            )
            builder.store(builder.and_(builder.load(left), remain), left)
        found = lanes.lowest(builder.load(left), builder.trunc(base, BYTE))
        known = lanes.block(5, INDEX(0))
        lanes.store(5, builder.select(builder.icmp_unsigned("<", found, known), found, known))
        return context.get_dummy_value()

    arguments = (codes, columns, ranks, kept, bits, exits, first, last, base)
    return types.void(*arguments), generate


narrow: Any = intrinsic(_narrow)


@njit(nogil=True, cache=True)
def rank(
    numbers: Numbers, values: Floats, strides: tuple[int, int], rows: int, codes: Bytes
) -> None:
    """Turn the numbers of up to 64 rows into bytes: (columns, 64)."""
    number = np.zeros(LANES)
    position = np.empty(LANES, np.uint32)
    one = np.uint32(1)  # unsigned throughout: compiled code then does not look for negatives
    for index in range(len(numbers.features)):
        start = numbers.features[index] * strides[1]
        for row in range(rows):
            number[row] = values[start + row * strides[0]]
        ladder = numbers.thresholds[numbers.starts[index] : numbers.starts[index + 1]]
        position[:] = 0
        width = np.uint32(len(ladder) >> 1)
        while width:
            for row in range(LANES):
                position[row] += width * (ladder[position[row] + (width - one)] < number[row])
            width = np.uint32(width >> one)
        for column in range(numbers.columns[index], numbers.columns[index + 1]):
            lowest, zero = numbers.lowest[column], numbers.zeros[column]
            missing = numbers.missing[column]
            for row in range(LANES):
                code = min(max(np.int32(position[row]) - lowest, 0), FULL)
                code = zero if abs(number[row]) <= ZERO else code
                codes[column, row] = missing if np.isnan(number[row]) else code


@njit(nogil=True, cache=True)
def encode(
    lookups: Lookups,
    values: Floats,
    strides: tuple[int, int],
    rows: int,
    codes: NDArray[np.uint32],
) -> None:
    """Turn the categories of up to 64 rows into codes: (categories, 64)."""
    for index in range(len(lookups.features)):
        start, size = lookups.features[index] * strides[1], lookups.sizes[index]
        for row in range(rows):
            value = values[start + row * strides[0]]
            codes[index, row] = int(value) if -1.0 < value < size else size


@njit(nogil=True, cache=True)
def descend(tables: Tables, ranked: Bytes, coded: NDArray[np.uint32], sums: Floats) -> None:
    """Find the leaf of each tree where each of 64 rows ends; add their values up in order."""
    _, steps, lookups, words, leaves = tables
    bits, exits = np.empty(LANES, np.uint8), np.empty(LANES, np.uint8)
    sums[:] = 0.0
    for tree in range(len(words) - 1):
        exits[:] = FULL
        for word in range(words[tree], words[tree + 1]):
            bits[:] = FULL
            for lookup in range(lookups.starts[word], lookups.starts[word + 1]):
                codes = coded[lookups.categories[lookup]]
                masks = lookups.masks[lookups.offsets[lookup] :]
                for row in range(LANES):
                    bits[row] &= masks[codes[row]]
            first, last = np.int64(steps.starts[word]), np.int64(steps.starts[word + 1])
            base = np.int64(WORD * (word - words[tree]))
            narrow(ranked, steps.columns, steps.ranks, steps.kept, bits, exits, first, last, base)
        values, own = leaves[WORD * words[tree] :], sums[tree % len(sums)]
        for row in range(LANES):
            own[row] += values[exits[row]]


@njit(nogil=True, cache=True)
def add(tables: Tables, values: Floats, strides: tuple[int, int], sums: Floats) -> None:
    """Add the leaves of n rows up.

    Args:
        tables: the model.
        values: the matrix as a flat array.
        strides: how many values from row to row, and from column to column.
        sums: (n, classes), to be written.

    """
    rows, classes = sums.shape
    ranked = np.zeros((len(tables.numbers.lowest), LANES), np.uint8)
    coded = np.zeros((len(tables.lookups.features), LANES), np.uint32)
    block = np.empty((classes, LANES))
    for start in range(0, rows, LANES):
        count = min(LANES, rows - start)
        rest = values[start * strides[0] :]
        rank(tables.numbers, rest, strides, count, ranked)
        encode(tables.lookups, rest, strides, count, coded)
        descend(tables, ranked, coded, block)
        for row in range(count):
            for label in range(classes):
                sums[start + row, label] = block[label, row]


@njit(nogil=True, cache=True)
def logistic(sums: Floats) -> None:
    """Turn sums into probabilities in place, as LightGBM does: 1 / (1 + e^-x)."""
    for row in range(len(sums)):
        sums[row, 0] = 1.0 / (1.0 + math.exp(-sums[row, 0]))


@njit(nogil=True, cache=True)
def softmax(sums: Floats) -> None:
    """Turn each row's sums into probabilities in place, in LightGBM's order of operations."""
    rows, classes = sums.shape
    for row in range(rows):
        highest, total = sums[row].max(), 0.0
        for label in range(classes):
            sums[row, label] = math.exp(sums[row, label] - highest)
            total += sums[row, label]
        for label in range(classes):
            sums[row, label] /= total

"""One row -> sums of leaves, all trees level by level; `reference.py` says the same in plain words.

Compiled to machine code that needs nothing around it: whoever runs it needs no numba, which is a
hundred megabytes. So only the child process that compiles it imports this room.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]

from services.serving.domain.trees.layout import FULL
from services.serving.domain.trees.single import MOST_CODES, RANK_SHIFT, STEP_SHIFT

# Unsigned throughout: compiled code then does not look for negatives.
U = np.uint64
ONE, FIVE = U(1), U(5)
CODE_BITS, RANK_BITS, RANK, STEP = U(MOST_CODES - 1), U(FULL), U(RANK_SHIFT), U(STEP_SHIFT)
ANYWHERE = 1 << 40

COUNTS, ROW, SUMS, LIMITS, LADDERS, LEAVES, FEATURES, STARTS, COLUMNS, LOWEST = range(10)
CATEGORIES, NODES, ROOTS, STATES, LIVE, ZEROS, MISSING, CODES, SIDES = range(10, 19)


@njit(inline="always")
def rank(at: Any, f: Any, w: Any, b: Any) -> None:
    """Turn the numbers of the row into codes, as `kernel.rank` does."""
    codes, row = at[CODES], at[ROW]
    for number in range(at[at[COUNTS]]):
        value = f[row + w[at[FEATURES] + number]]
        start = w[at[STARTS] + number]
        ladder, position = at[LADDERS] + start, U(0)
        width = (w[at[STARTS] + number + ONE] - start) >> ONE
        while width:
            position += width * U(f[ladder + position + width - ONE] < value)
            width >>= ONE
        for column in range(w[at[COLUMNS] + number], w[at[COLUMNS] + number + ONE]):
            code = min(max(np.int64(position) - np.int64(w[at[LOWEST] + column]), 0), FULL)
            if f[at[LIMITS]] <= value <= f[at[LIMITS] + ONE]:
                code = np.int64(b[at[ZEROS] + column])
            if np.isnan(value):
                code = np.int64(b[at[MISSING] + column])
            b[codes + column] = code


@njit(inline="always")
def encode(at: Any, f: Any, w: Any, b: Any) -> None:
    """Look up what each category of the row answers to the tests of its feature."""
    for category in range(at[at[COUNTS] + ONE]):
        own = at[CATEGORIES] + FIVE * category
        value, size = f[at[ROW] + w[own]], w[own + ONE]
        known = f[at[LIMITS] + U(2)] < value < np.float64(np.int64(size))
        code = U(np.int64(value)) if known else U(size)
        first, count = at[CODES] + w[own + U(2)], w[own + U(3)]
        sides = at[SIDES] + w[own + U(4)] + code * count
        for test in range(count):
            b[first + test] = b[sides + test]


@njit(inline="always")
def descend(at: Any, f: Any, w: Any, b: Any) -> None:
    """Go down all trees together, a level at a time; then add their leaves up in order."""
    trees, classes = at[at[COUNTS] + U(2)], at[at[COUNTS] + U(3)]
    states, live, nodes = at[STATES], at[LIVE], at[NODES]
    codes, leaves, sums = at[CODES], at[LEAVES], at[SUMS]
    for tree in range(trees):
        w[states + tree], w[live + tree] = w[at[ROOTS] + tree], tree
    left = trees
    while left:
        kept = U(0)
        for one in range(left):
            tree = w[live + one]
            place = w[states + tree]
            node = w[nodes + place]
            step = node >> STEP
            right = b[codes + (node & CODE_BITS)] > (node >> RANK & RANK_BITS)
            w[states + tree] = place + step + U(right)
            w[live + kept] = tree
            kept += U(step != U(0))  # a branch would be guessed wrong once per tree
        left = kept
    for label in range(classes):
        f[sums + label] = f[at[LIMITS] + U(3)]  # a constant would be a call of memset
    own = U(0)
    for tree in range(trees):
        f[sums + own] += f[leaves + w[states + tree]]
        own += ONE
        if own == classes:
            own = U(0)


def walk(block: Any, floats: Any, words: Any, small: Any) -> None:
    """Walk one row through all trees; each argument is the address of the block."""
    at, f = carray(block, ANYWHERE), carray(floats, ANYWHERE)
    w, b = carray(words, ANYWHERE), carray(small, ANYWHERE)
    rank(at, f, w, b)
    encode(at, f, w, b)
    descend(at, f, w, b)


def machine_code() -> bytes:
    """Compile the walk for this machine.

    numba must leave vectors out, for these need constants beside the code: NUMBA_LOOP_VECTORIZE=0
    and NUMBA_SLP_VECTORIZE=0, set before it is imported.

    Returns:
        A function of six addresses: where it puts an answer and an error, of which it has none, and
        the arguments of `walk`.

    Raises:
        ValueError: the code would need something around it.

    """
    kinds = (types.uint64, types.float64, types.uint32, types.uint8)
    signature = types.void(*map(types.CPointer, kinds))
    alone: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
    compiled = njit(signature, **alone)(walk)
    module = llvm.parse_assembly(compiled.inspect_llvm(compiled.signatures[0]))
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="default",
    )
    options = llvm.create_pipeline_tuning_options(speed_level=0)
    builder = llvm.create_pass_builder(machine, options)
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, builder)
    sections = {
        section.name(): section.data()
        for section in llvm.ObjectFileRef.from_data(machine.emit_object(module)).sections()
    }
    foreign = {b".rela.text", b".rodata"} & sections.keys()
    if foreign or b".text" not in sections:
        raise ValueError(f"it is no code that can stand alone: it needs {sorted(foreign)}")
    return bytes(sections[b".text"])

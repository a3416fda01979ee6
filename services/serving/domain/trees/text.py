"""LightGBM's text format -> Trees; what is not understood for certain is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Link = Literal["identity", "sigmoid", "softmax"]

LINKS: Mapping[str, Link] = {
    "binary sigmoid:1": "sigmoid",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
}
CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING, ZERO_MISSING, NAN_MISSING = 12, 4, 8
MOST_LEAVES = 256  # a leaf's number in its tree is a byte
ZERO = float(np.float32(1e-35))  # LightGBM's zero: what is not farther from 0 than this


@dataclass(frozen=True, slots=True)
class Tree:
    """A binary tree. A child >= 0 is a node, a child < 0 is the leaf ~child.

    Attributes:
        features: (nodes,) column that is tested.
        thresholds: (nodes,) numbers up to here go left; for categories, which set.
        decisions: (nodes,) bits CATEGORICAL, DEFAULT_LEFT and, under MISSING, what is missing.
        lefts: (nodes,) children.
        rights: (nodes,) children.
        leaves: (nodes + 1,) values.
        categories: per set the categories that go left.

    """

    features: NDArray[np.int32]
    thresholds: NDArray[np.float64]
    decisions: NDArray[np.int32]
    lefts: NDArray[np.int32]
    rights: NDArray[np.int32]
    leaves: NDArray[np.float64]
    categories: tuple[NDArray[np.int32], ...]


@dataclass(frozen=True, slots=True)
class Trees:
    """A model: tree i adds to class i modulo `classes`, then `link` makes scores of the sums."""

    link: Link
    features: int
    classes: int
    trees: tuple[Tree, ...]


def parse(text: str) -> Trees:
    """Read a model as `Booster.model_to_string` writes it.

    Raises:
        ValueError: it is damaged, or of a kind that is left to the library; says which.

    """
    body, end, _ = text.partition("\nend of trees")
    head, *blocks = body.split("\nTree=")
    if not end or not head.startswith("tree\n"):
        raise ValueError("no LightGBM text")
    header = _fields(head)
    if "average_output" in header:
        raise ValueError("averaged outputs (random forest)")
    try:
        classes = int(header["num_tree_per_iteration"])
        features = int(header["max_feature_idx"]) + 1
        link = _link(header.get("objective", "none"), classes)
        trees = tuple(_tree(_fields(block), features) for block in blocks)
    except KeyError as error:
        raise ValueError(f"the text lacks {error}") from error
    if not trees or len(trees) % classes:
        raise ValueError(f"{len(trees)} trees for {classes} classes")
    return Trees(link, features, classes, trees)


def _fields(lines: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in lines.splitlines())}


def _link(objective: str, classes: int) -> Link:
    if classes > 1 and objective == f"multiclass num_class:{classes}":
        return "softmax"
    if classes == 1 and objective in LINKS:
        return LINKS[objective]
    raise ValueError(f"objective {objective!r} with {classes} trees per iteration")


def _tree(fields: Mapping[str, str], features: int) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise ValueError("linear trees")
    leaves = int(fields["num_leaves"])
    if not 1 <= leaves <= MOST_LEAVES:
        raise ValueError(f"a tree of {leaves} leaves, at most {MOST_LEAVES}")
    nodes = leaves - 1
    tree = Tree(
        _integers(fields, "split_feature", nodes),
        _floats(fields, "threshold", nodes),
        _integers(fields, "decision_type", nodes),
        _integers(fields, "left_child", nodes),
        _integers(fields, "right_child", nodes),
        _floats(fields, "leaf_value", leaves),
        _categories(fields, int(fields.get("num_cat", "0"))),
    )
    _check(tree, features)
    return tree


def _integers(fields: Mapping[str, str], name: str, count: int) -> NDArray[np.int32]:
    return np.array(_words(fields, name, count), dtype=np.int64).astype(np.int32)


def _floats(fields: Mapping[str, str], name: str, count: int) -> NDArray[np.float64]:
    return np.array([float(word) for word in _words(fields, name, count)])


def _words(fields: Mapping[str, str], name: str, count: int) -> Sequence[str]:
    words = fields[name].split() if count else []
    if len(words) != count:
        raise ValueError(f"{len(words)} values of {name}, expected {count}")
    return words


def _categories(fields: Mapping[str, str], sets: int) -> tuple[NDArray[np.int32], ...]:
    """Unpack the sets: bit b of 32-bit word w stands for category 32 w + b."""
    if not sets:
        return ()
    bounds = _integers(fields, "cat_boundaries", sets + 1)
    words = np.array(_words(fields, "cat_threshold", int(bounds[-1])), dtype=np.uint64)
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    return tuple(
        np.flatnonzero(bits[32 * start : 32 * stop]).astype(np.int32)
        for start, stop in pairwise(bounds)
    )


def _check(tree: Tree, features: int) -> None:
    """Make sure that every walk stays inside and ends: the kernel does not look."""
    nodes = len(tree.features)
    children = np.concatenate([tree.lefts, tree.rights])
    once = np.delete(np.arange(-nodes - 1, nodes), nodes + 1) if nodes else children
    downwards = (children < 0) | (children > np.tile(np.arange(nodes), 2))
    if not (np.array_equal(np.sort(children), once) and downwards.all()):
        raise ValueError("nodes that form no tree")
    if not ((tree.features >= 0) & (tree.features < features)).all():
        raise ValueError("a split on a feature that the model does not have")
    if np.isnan(tree.thresholds).any() or (tree.decisions & MISSING == MISSING).any():
        raise ValueError("a split of unknown kind")
    sets = tree.thresholds[tree.decisions & CATEGORICAL != 0]
    if not np.isin(sets, np.arange(len(tree.categories))).all():
        raise ValueError("a split on categories that are not listed")

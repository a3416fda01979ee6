"""The columns of the offline store: what the service writes and a run reads."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

PREFIX = "f_"
TIME = pa.timestamp("us", "UTC")
TYPES = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "category": pa.string()}
LABELS = {"binary": pa.bool_(), "regression": pa.float64(), "multiclass": pa.string()}


def schema(task: str, features: Mapping[str, str]) -> pa.Schema:
    """Describe one model's table; `partition` and `offset` give a row's place in the log.

    The columns that are searched stand first: Delta keeps statistics of the first 32 only.

    Args:
        task: binary, multiclass or regression.
        features: feature -> int, float, bool or category.

    """
    numbers = pa.list_(pa.float64()) if task == "multiclass" else pa.float64()
    fields = [
        ("id", pa.string()),
        ("time", TIME),
        ("label_time", TIME),
        ("label", LABELS[task]),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("version", pa.string()),
        ("status", pa.string()),
        ("score", numbers),
        ("decision", pa.string() if task == "multiclass" else pa.bool_()),
        ("loss", pa.float64()),
        *((PREFIX + name, TYPES[kind]) for name, kind in features.items()),
    ]
    return pa.schema(fields)

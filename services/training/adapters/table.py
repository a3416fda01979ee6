"""One model's table of outcomes: buffered, written with the log's position, copies left out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import attrgetter, or_
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from services.training.domain.spans import Span
from services.training.domain.table import PREFIX
from services.training.ports import Row, Summary
from shared.errors import Rejected, Transient

Key = tuple[str, datetime | None, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MOST_KEYS = 500_000
SMALL_FILES = 50
TARGET_BYTES = 32 << 20
CONFIGURATION = {"delta.logRetentionDuration": "interval 3650 days"}


class OutcomeTable:
    """A Delta table and what is not yet in it; one thread at a time.

    The one handle is the fence: an append through it fails if somebody else has written for the
    same partition since it was loaded. The last offset of each partition is committed with the
    rows themselves, so that table and position cannot disagree.

    Args:
        uri: folder of the table.

    """

    def __init__(self, uri: Path) -> None:
        self.uri = str(uri)
        self.buffer: list[Row] = []
        self._handle = DeltaTable(self.uri) if DeltaTable.is_deltatable(self.uri) else None
        self._reader: DeltaTable | None = None
        self.schema: pa.Schema | None = None
        self._through: dict[str, int] = {}
        self._seen: OrderedDict[int, set[Key]] = OrderedDict()

    def keep(
        self, schema: pa.Schema, topic: str, rows: Sequence[Row], through: Mapping[int, int]
    ) -> None:
        """Buffer what neither the table nor the buffer holds.

        Args:
            schema: columns by the declaration in force; the buffer is empty when it changes.
            topic: where the rows stood.
            rows: in log order within each partition.
            through: partition -> highest offset covered.

        Raises:
            Rejected: a column has another type than before.

        """
        self._adopt(schema)
        self._load_days({_day(row.outcome.time) for row in rows})
        for row in rows:
            key, seen = _key(row.outcome), self._seen[_day(row.outcome.time)]
            if key not in seen:
                seen.add(key)
                self.buffer.append(row)
        for partition, offset in through.items():
            name = f"{topic}:{partition}"
            self._through[name] = max(offset, self._through.get(name, -1))

    def flush(self, pins: Iterable[int]) -> None:
        """Append the buffer in one commit; now and then compact.

        Args:
            pins: versions that must stay readable.

        Raises:
            Transient: another copy has written for our partitions; what it wrote has been taken
                note of, and the next attempt can succeed.

        """
        if not self.buffer or self.schema is None:
            return
        if self._handle is None:
            self._handle = DeltaTable.create(
                self.uri, self.schema, mode="ignore", configuration=CONFIGURATION
            )
        positions = [Transaction(name, offset) for name, offset in self._through.items()]
        try:
            write_deltalake(
                self._handle,
                _columns(self.buffer, self.schema),
                mode="append",
                schema_mode="merge",
                commit_properties=CommitProperties(app_transactions=positions),
            )
        except CommitFailedError as error:
            self._look_again()
            raise Transient(f"another copy writes to {self.uri}: {error}") from error
        self.buffer = []
        self._compact(pins)

    def reopen(self) -> None:
        """Forget what is not written, and look at the table anew."""
        self._handle = DeltaTable(self.uri) if DeltaTable.is_deltatable(self.uri) else None
        self.buffer, self._through = [], {}
        self._seen.clear()

    def next_offset(self, topic: str, partition: int) -> int:
        """Tell where a partition goes on: after the last offset that is in the table."""
        if self._handle is None:
            return 0
        written = self._handle.transaction_version(f"{topic}:{partition}")
        return 0 if written is None else written + 1

    def version(self) -> int | None:
        """Tell the version after our last commit; None without a table."""
        return self._handle.version() if self._handle is not None else None

    def summary(self, *, unlabelled: bool) -> Summary | None:
        """Sum up what all copies have written, from the table's log alone; None without a table."""
        if self._handle is None:
            return None
        current = self._current()
        files = pa.table(current.get_add_actions(flatten=True))
        if not files.num_rows:
            return Summary(current.version(), 0, None)
        rows = pc.sum(files["num_records"]).as_py()
        missing = 0 if unlabelled else pc.sum(files["null_count.label"]).as_py()
        return Summary(current.version(), rows - missing, pc.max(files["max.time"]).as_py())

    def labels_within(self, spans: Sequence[Span], *, unlabelled: bool) -> int:
        """Count labels by event time; corrections count once more, as in the summary."""
        if self._handle is None or not spans:
            return 0
        condition = reduce(or_, (_between(*span) for span in spans))
        if not unlabelled:
            condition &= pc.field("label").is_valid()
        return int(self._current().to_pyarrow_dataset().count_rows(filter=condition))

    def _current(self) -> DeltaTable:
        """Look at what all copies have written."""
        # A handle of its own: to refresh the writing one would lift the fence.
        if self._reader is None:
            self._reader = DeltaTable(self.uri)
        self._reader.update_incremental()
        return self._reader

    def _adopt(self, schema: pa.Schema) -> None:
        """Check the columns against those of the table.

        Raises:
            Rejected: a type has changed.

        """
        if schema == self.schema:
            return
        stored = pa.schema(self._handle.schema().to_arrow()) if self._handle else schema
        for field in schema:
            index = stored.get_field_index(field.name)
            if index >= 0 and stored.field(index).type != field.type:
                raise Rejected(
                    f"{field.name} is {stored.field(index).type} in {self.uri} and cannot become "
                    f"{field.type}; declare the changed model under a new name"
                )
        self.schema = schema

    def _load_days(self, days: set[int]) -> None:
        """Learn which outcomes of these days are stored, and forget the days not asked for."""
        for day in days:
            if day in self._seen:
                self._seen.move_to_end(day)
        missing = days - self._seen.keys()
        self._seen |= {day: set() for day in missing}
        stored_days = missing & self._stored_days() if missing else missing
        if stored_days and self._handle is not None:
            ranges = [_between(EPOCH + day * DAY, EPOCH + (day + 1) * DAY) for day in stored_days]
            stored = self._handle.to_pyarrow_dataset().to_table(
                ["id", "time", "label_time", "label"], filter=reduce(or_, ranges)
            )
            columns = [stored[name].to_pylist() for name in stored.column_names]
            for event_id, time, label_time, label in zip(*columns, strict=True):
                self._seen[_day(time)].add((event_id, label_time, label))
        for row in self.buffer:
            if (day := _day(row.outcome.time)) in missing:
                self._seen[day].add(_key(row.outcome))
        while len(self._seen) > len(days) and sum(map(len, self._seen.values())) > MOST_KEYS:
            self._seen.popitem(last=False)

    def _stored_days(self) -> set[int]:
        """List the days that a file may hold rows of: a new day costs no search."""
        if self._handle is None:
            return set()
        files = pa.table(self._handle.get_add_actions(flatten=True))
        spans = zip(files["min.time"].to_pylist(), files["max.time"].to_pylist(), strict=True)
        return {day for first, last in spans for day in range(_day(first), _day(last) + 1)}

    def _look_again(self) -> None:
        rows, self.buffer = self.buffer, []
        self._handle = DeltaTable(self.uri)
        self._seen.clear()
        self._load_days({_day(row.outcome.time) for row in rows})
        self.buffer = [
            row for row in rows if _key(row.outcome) not in self._seen[_day(row.outcome.time)]
        ]

    def _compact(self, pins: Iterable[int]) -> None:
        """Merge small files once there are fifty; let go of old ones that no run is pinned to."""
        assert self._handle is not None
        sizes = pa.table(self._handle.get_add_actions(flatten=True))["size_bytes"]
        if pc.sum(pc.less(sizes, TARGET_BYTES // 2)).as_py() < SMALL_FILES:
            return
        try:
            self._handle.optimize.compact(target_size=TARGET_BYTES)
        except CommitFailedError:
            return  # another copy compacts at this moment
        version = self._handle.version()
        kept = [pin for pin in pins if pin <= version]
        self._handle.vacuum(dry_run=False, keep_versions=kept or None)


def _columns(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    outcomes = [row.outcome for row in rows]
    features = [outcome.features for outcome in outcomes]
    arrays = []
    for field in schema:
        name = field.name
        owners: Sequence[Any] = outcomes
        if name in Row._fields:
            owners = rows
        elif name.startswith(PREFIX):
            name, owners = name.removeprefix(PREFIX), features
        arrays.append(pa.array(list(map(attrgetter(name), owners)), field.type))
    return pa.table(arrays, schema=schema)


def _key(outcome: Any) -> Key:
    return outcome.id, outcome.label_time, outcome.label


def _between(start: datetime, end: datetime) -> pc.Expression:
    return (pc.field("time") >= start) & (pc.field("time") < end)


def _day(time: datetime) -> int:
    return (time - EPOCH) // DAY

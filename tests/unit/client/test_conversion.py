"""Rows of files, good and bad."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftwheel.conversion import Columns, Conversion
from driftwheel.errors import Invalid, NotFound
from driftwheel.tables import open_table

DECLARATION = {
    "spec": {
        "task": "binary",
        "classes": None,
        "features": {
            "carrier": {"type": "category", "categories": ["UA", "DL"], "nullable": False},
            "minute": {"type": "int", "min": 0.0, "max": 1439.0, "nullable": False},
            "age": {"type": "float", "min": 0.0, "max": None, "nullable": True},
            "night": {"type": "bool", "nullable": True},
        },
        "label": {"name": "late"},
    }
}
ROW = {
    "id": "e1",
    "time": "2013-06-13T10:45:00-04:00",
    "carrier": "UA",
    "minute": "5",
    "age": "1.5",
    "night": "TRUE",
}


def converted(columns=None, **changes):
    record = Conversion(DECLARATION, columns or Columns(), labels=False).record(ROW | changes)
    return json.loads(record.value)


def test_text_becomes_what_the_declaration_says():
    assert converted() == {
        "id": "e1",
        "time": "2013-06-13T14:45:00Z",
        "features": {"carrier": "UA", "minute": 5, "age": 1.5, "night": True},
    }


@pytest.mark.parametrize(
    ("changes", "features"),
    [
        ({"age": ""}, {"age": None}),
        ({"minute": "149.0"}, {"minute": 149}),
        ({"minute": 149.0}, {"minute": 149}),
        ({"age": 2}, {"age": 2.0}),
        ({"night": 0}, {"night": False}),
        ({"night": None}, {"night": None}),
    ],
)
def test_values_that_mean_the_same(changes, features):
    assert features.items() <= converted(**changes)["features"].items()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minute": "five"}, "minute: must be a whole number, not 'five'"),
        ({"minute": "5.5"}, "minute: must be a whole number"),
        ({"minute": True}, "minute: must be a whole number"),
        ({"minute": ""}, "minute: is missing and not nullable"),
        ({"minute": "1440"}, "minute: 1440 is above the maximum of 1439"),
        ({"age": "-1"}, "age: -1.0 is below the minimum of 0"),
        ({"age": "nan"}, "age: must be finite"),
        ({"age": float("inf")}, "age: must be finite"),
        ({"age": "1e999"}, "age: must be finite"),
        ({"age": "old"}, "age: must be a number, not 'old'"),
        ({"age": [1]}, "age: must be a number"),
        ({"carrier": "VX"}, "carrier: 'VX' is none of the declared categories"),
        ({"carrier": 1.5}, "carrier: must be text"),
        ({"night": "maybe"}, "night: must be true or false"),
        ({"time": "noon"}, "time: must be a time such as"),
        ({"time": None}, "time: must be a time such as"),
        ({"time": "2013-06-13T10:45:00"}, "time: .* has no offset from UTC; --assume-utc"),
        ({"time": date(2013, 6, 13)}, "time: must be a time, not the date"),
        ({"id": ""}, "id: must be text of 1 to 200 characters"),
        ({"id": "x" * 201}, "id: must be text of 1 to 200 characters"),
    ],
)
def test_a_bad_cell_is_named(changes, reason):
    with pytest.raises(ValueError, match=reason):
        converted(**changes)


def test_options_name_columns_nulls_and_the_zone():
    columns = Columns(id="flight", key="tail", nulls=("", "NA"), assume_utc=True)
    conversion = Conversion(DECLARATION, columns, labels=False)
    changes = {"flight": 7, "tail": "N1", "age": "NA", "time": "2013-06-13T14:45:00"}
    record = conversion.record(ROW | changes)
    assert record.key == b"N1"
    assert json.loads(record.value)["id"] == "7"
    assert json.loads(record.value)["time"] == "2013-06-13T14:45:00Z"


def test_times_of_typed_files_are_taken_too():
    zone = timezone(timedelta(hours=-4))
    at = datetime(2013, 6, 13, 10, 45, tzinfo=zone)
    assert converted(time=at)["time"] == "2013-06-13T14:45:00Z"


@pytest.mark.parametrize(
    ("task", "given", "value"),
    [("binary", "1", True), ("regression", "1.5", 1.5), ("multiclass", "b", "b")],
)
def test_labels_have_the_type_of_the_task(task, given, value):
    spec = DECLARATION["spec"] | {"task": task, "classes": ["a", "b"]}
    conversion = Conversion({"spec": spec}, Columns(), labels=True)
    record = conversion.record({"id": "e1", "time": "2013-06-13T14:45Z", "late": given})
    assert json.loads(record.value)["value"] == value


@pytest.mark.parametrize(
    ("task", "given"), [("binary", ""), ("binary", "2"), ("regression", "x"), ("multiclass", "c")]
)
def test_a_bad_label_is_named(task, given):
    spec = DECLARATION["spec"] | {"task": task, "classes": ["a", "b"]}
    conversion = Conversion({"spec": spec}, Columns(), labels=True)
    with pytest.raises(ValueError, match="late: "):
        conversion.record({"id": "e1", "time": "2013-06-13T14:45Z", "late": given})


def test_missing_columns_are_told_with_the_option_that_names_another():
    conversion = Conversion(DECLARATION, Columns(), labels=False)
    with pytest.raises(Invalid, match=r"no column 'id', 'carrier'.*--id-column names another"):
        conversion.ignored(["flight", "time", "minute"])


def test_columns_nobody_declared_are_not_sent():
    conversion = Conversion(DECLARATION, Columns(), labels=False)
    assert conversion.ignored(["id", "time", "carrier", "minute", "gate"]) == ["gate"]


def test_a_whole_event_on_a_line_stays_byte_for_byte():
    line = b'{"id":  "e1", "time": "?", "features": {"carrier": "UA"}}'
    by_id = Conversion(DECLARATION, Columns(), labels=False).line(line)
    by_feature = Conversion(DECLARATION, Columns(key="carrier"), labels=False).line(line)
    assert (by_id.value, by_id.key, by_feature.key) == (line, b"e1", b"UA")


def test_a_flat_line_is_converted_like_a_row():
    line = json.dumps(ROW).encode()
    assert json.loads(Conversion(DECLARATION, Columns(), labels=False).line(line).value) == (
        converted()
    )


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff", b'{"features": {}}', b"null"])
def test_a_line_that_is_no_event_is_refused(line):
    with pytest.raises(ValueError):
        Conversion(DECLARATION, Columns(), labels=False).line(line)


def test_a_bad_row_of_a_csv_file_leaves_the_others(tmp_path):
    file = tmp_path / "flights.csv"
    file.write_bytes(b'\xef\xbb\xbfid,name\ne1,"two\nlines"\ne2\ne3,\xff\n\ne4,last\n')
    table = open_table(file)
    rows = list(table.rows())
    assert table.columns == ["id", "name"]
    assert [number for number, _ in rows] == [3, 4, 5, 7]
    assert rows[0][1] == {"id": "e1", "name": "two\nlines"}
    assert str(rows[1][1]) == "has 1 cells for 2 columns"
    assert str(rows[2][1]) == "is not UTF-8"
    assert rows[3][1] == {"id": "e4", "name": "last"}
    assert table.position == table.total


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"id,x,x\n", "column x stands there twice")]
)
def test_a_csv_file_needs_a_header(tmp_path, content, message):
    file = tmp_path / "flights.csv"
    file.write_bytes(content)
    with pytest.raises(Invalid, match=message):
        open_table(file)


def test_lines_are_numbered_and_empty_ones_skipped(tmp_path):
    file = tmp_path / "flights.ndjson"
    file.write_bytes(b'{"a": 1}\n\n{"a": 2}\r\n')
    assert list(open_table(file).rows()) == [(1, b'{"a": 1}'), (3, b'{"a": 2}')]


def test_parquet_keeps_its_types(tmp_path):
    file = tmp_path / "flights.parquet"
    at = datetime(2013, 6, 13, 14, 45, tzinfo=UTC)
    columns = {"id": ["e1"], "time": [at], "carrier": ["UA"], "minute": [5], "age": [None]}
    pq.write_table(pa.table(columns), file)
    table = open_table(file)
    ((number, cells),) = table.rows()
    assert (number, table.total, table.columns[0]) == (1, 1, "id")
    assert converted(**cells)["features"]["age"] is None


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(NotFound, match="not there"):
        open_table(tmp_path / "none.csv")
    for name in ("flights.xlsx", "flights.parquet"):
        (tmp_path / name).write_bytes(b"PK")
        with pytest.raises(Invalid, match=r"ending must be|not a Parquet file"):
            open_table(tmp_path / name)

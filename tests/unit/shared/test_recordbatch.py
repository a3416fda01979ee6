import os

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka import Block, Headers
from shared.kafka.recordbatch import MAX_BYTES, MAX_RECORDS, batches, varint

ZSTD = 4
texts = st.binary(max_size=300) | st.integers(60, 70).map(bytes)
names = st.text(max_size=80)
own = st.lists(st.tuples(names, texts), max_size=70)


@st.composite
def blocks(draw):
    rows = draw(st.integers(1, 80))
    column = st.lists(texts, min_size=rows, max_size=rows)
    nullable = st.lists(st.none() | texts, min_size=rows, max_size=rows)
    headers = Headers(
        draw(st.lists(st.tuples(names, texts), max_size=3)),
        draw(st.dictionaries(names, column, max_size=3)),
        draw(st.dictionaries(st.integers(0, rows - 1), own, max_size=rows)),
    )
    return Block("t", 0, draw(nullable), draw(nullable), headers, [None] * rows)


def block_of(values, headers=None):
    return Block("t", 0, [None] * len(values), values, headers or Headers(), [None] * len(values))


def read(batch):
    """What aiokafka's consumer reads in the bytes that its producer is given."""
    log = MemoryRecords(bytes(batch._build()))
    read = log.next_batch()
    assert read.validate_crc()
    assert not log.has_next()
    return read, list(read)


def rows(block):
    columns = zip(block.keys, block.values, strict=True)
    return [(key, value, block.headers[row]) for row, (key, value) in enumerate(columns)]


def by_the_client(block):
    """What aiokafka itself writes."""
    batch = BatchBuilder(MAX_BYTES, ZSTD)
    for key, value, headers in rows(block):
        batch.append(timestamp=None, key=key, value=value, headers=headers)
    return batch


@given(blocks())
def test_the_client_reads_what_its_own_batches_say(block):
    ((part, batch),) = batches(block)
    theirs = by_the_client(block)
    for one in (batch, theirs):
        one._set_producer_state(7, 2, 9)
    head, found = read(batch)
    expected, records = read(theirs)
    assert part is block
    assert [(r.offset, r.key, r.value, r.headers) for r in found] == [
        (r.offset, r.key, r.value, r.headers) for r in records
    ]
    assert [(r.key, r.value, r.headers) for r in found] == rows(block)
    assert batch.record_count() == theirs.record_count() == len(block)
    for of in (head, expected):
        assert (of.producer_id, of.producer_epoch, of.base_sequence) == (7, 2, 9)
        assert (of.magic, of.is_transactional, of.is_control_batch) == (2, False, False)
    assert head.next_offset == expected.next_offset
    assert head.timestamp_type == expected.timestamp_type
    assert 0 <= expected.max_timestamp - head.max_timestamp < 60_000


def test_what_is_sent_again_is_the_same():
    ((_, batch),) = batches(block_of([b"a" * 1000]))
    batch._set_producer_state(7, 2, 9)
    assert batch._build() == batch._build()
    assert len(batch._build()) < 200


def test_what_zstd_would_make_longer_is_sent_as_it_is():
    value = os.urandom(1000)
    ((_, batch),) = batches(block_of([value]))
    head, (record,) = read(batch)
    assert (head.compression_type, record.value) == (0, value)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([MAX_BYTES // 2 - 30] * 3, [2, 1]),
        ([5, 3 * MAX_BYTES, 5, 5], [1, 1, 2]),
        ([3 * MAX_BYTES], [1]),
        ([1] * (2 * MAX_RECORDS + 1), [MAX_RECORDS, MAX_RECORDS, 1]),
        ([], []),
    ],
)
def test_records_are_cut_into_batches_that_kafka_takes_and_stay_in_order(lengths, expected):
    values = [b"%d" % (row % 10) * length for row, length in enumerate(lengths)]
    names = [b"%d" % row for row in range(len(values))]
    headers = Headers((), {"was": names}, {2: [("other", b"")]} if len(values) > 2 else {})
    block = block_of(values, headers)
    parts = list(batches(block))
    assert [len(part) for part, _ in parts] == expected
    found = [row for _, batch in parts for row in read(batch)[1]]
    assert [(r.key, r.value, r.headers) for r in found] == rows(block)
    assert [row for part, _ in parts for row in rows(part)] == rows(block)
    assert all(len(part) == 1 or len(b"".join(part.values)) <= MAX_BYTES for part, _ in parts)


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, b"\0"), (-1, b"\1"), (63, b"\x7e"), (64, b"\x80\x01"), (8192, b"\x80\x80\x01")],
)
def test_a_number_in_seven_bits_per_byte(number, written):
    assert varint(number) == written


def test_rows_of_headers_keep_what_is_theirs():
    headers = Headers((("a", b"1"),), {"b": [b"2", b"3", b"4"]}).but({1: [("c", b"5")]})
    assert [headers[row] for row in range(3)] == [
        [("a", b"1"), ("b", b"2")],
        [("c", b"5")],
        [("a", b"1"), ("b", b"4")],
    ]
    chosen = headers.rows([2, 1])
    assert [chosen[row] for row in range(2)] == [headers[2], headers[1]]
    part = headers.part(1, 3)
    assert [part[row] for row in range(2)] == [headers[1], headers[2]]

"""Outcomes as records: the prediction's own bytes, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from contracts.data import OUTCOMES
from services.monitor.domain.labels import Outcomes
from services.monitor.domain.times import written
from services.monitor.handlers.payloads import Floats, Payloads
from services.monitor.handlers.reading import Read
from shared.kafka import Block, Header, Headers, Record

VALUE = (
    b'{"id":%b,"time":"%b","model":%b,"version":%b,"score":%b,"decision":%b,"features":%b,'
    b'"label":%b,"label_time":%b,"status":"%b","loss":%b,"shadow":%b}'
)
NULL = b"null"
encoded = msgspec.json.encode


class Writer:
    """Writes the outcomes of one model.

    Args:
        topic: real name of the model's outcomes.
        payloads: of its declaration.

    """

    def __init__(self, topic: str, payloads: Payloads) -> None:
        self.topic, self.payloads = topic, payloads
        self.model = encoded(payloads.model)
        values = (False, True) if payloads.task == "binary" else payloads.classes
        self.names = [*map(encoded, values), NULL]
        self.envelope: list[Header] = [
            ("ce_specversion", b"1.0"),
            ("ce_source", b"driftwheel/monitor"),
            ("ce_type", OUTCOMES.name(payloads.model).encode()),
            ("content-type", b"application/json"),
        ]

    def block(
        self,
        predictions: Read,
        outcomes: Outcomes,
        losses: Floats,
        causes: Sequence[Record] | None = None,
    ) -> Block:
        """Write outcomes under the keys and into the partition of their predictions.

        Args:
            predictions: n, of one partition.
            outcomes: m, at least one.
            losses: (m,), NaN where there is none.
            causes: n records that outcomes follow from; by default the predictions themselves.

        """
        index = outcomes["row"].tolist()
        records = [predictions.records[n] for n in index]
        rows = [predictions.rows[n] for n in index]
        missing = np.isnan(outcomes["value"])
        times = [b'"%b"' % time for time in written(outcomes["time"])]
        for row in np.flatnonzero(missing).tolist():
            times[row] = NULL
        return Block(
            self.topic,
            records[0].partition,
            [_key(record, row) for record, row in zip(records, rows, strict=True)],
            self._values(rows, outcomes, times, losses),
            self._headers(rows, outcomes, times),
            records if causes is None else [causes[n] for n in index],
        )

    def _values(
        self, rows: Sequence[Any], outcomes: Outcomes, times: Sequence[bytes], losses: Floats
    ) -> list[bytes]:
        model, versions = self.model, {row.version: encoded(row.version) for row in rows}
        columns = zip(
            rows,
            _numbers([row.score for row in rows]),
            self._labels(self.payloads.known(outcomes["value"])),
            times,
            _statuses(outcomes),
            _numbers(losses.tolist()),
            strict=True,
        )
        return [
            VALUE
            % (
                encoded(row.id),
                row.time.encode(),
                model,
                versions[row.version],
                score,
                row.decision,
                row.features,
                label,
                time,
                status,
                loss,
                row.shadow,
            )
            for row, score, label, time, status, loss in columns
        ]

    def _headers(self, rows: Sequence[Any], outcomes: Outcomes, times: Sequence[bytes]) -> Headers:
        """Write envelopes; the id follows from the event, the label's time and its value alone."""
        labelled = zip(rows, times, self._labels(outcomes["value"]), strict=True)
        ids = [b"%b:%b:%b" % (row.id.encode(), time, label) for row, time, label in labelled]
        return Headers(
            self.envelope, {"ce_id": ids, "ce_time": [row.time.encode() for row in rows]}
        )

    def _labels(self, values: Floats) -> list[bytes]:
        """Write n labels as JSON."""
        if self.payloads.task == "regression":
            return _numbers(values.tolist())
        names = self.names
        places = np.where(np.isnan(values), -1, values).astype(np.int64)
        return [names[place] for place in places.tolist()]


def _key(record: Record, row: Any) -> bytes:
    key: bytes = row.id.encode() if record.key is None else record.key
    return key


def _numbers(values: Sequence[Any]) -> list[bytes]:
    """Write numbers, or lists of them, as JSON; NaN is null."""
    text = encoded(values)
    if text.startswith(b"[["):
        return [row + b"]" for row in text[1:-2].split(b"],")]
    return text[1:-1].split(b",") if values else []


def _statuses(outcomes: Outcomes) -> list[bytes]:
    missing = np.where(np.isnan(outcomes["value"]), b"unlabelled", b"labelled")
    statuses: list[bytes] = np.where(outcomes["corrected"], b"corrected", missing).tolist()
    return statuses

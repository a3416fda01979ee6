"""What a request was answered, on its way to Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np

from services.serving.domain.features import Row, RowWriter
from services.serving.domain.predictions import Header, Writer
from services.serving.domain.replies import Score

ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, eq=False)
class Author:
    """One version of a model under one plan, as what it answers is written."""

    model: str
    version: str
    writer: Writer
    features: RowWriter


class Inferred(msgspec.Struct, frozen=True):
    """The rows of one request and what one version made of them.

    Attributes:
        author: made the predictions.
        time: of the request.
        choices: places of the decisions among the answers.
        entity: key of the records; empty for each its own id.
        headers: further ones of each record.

    """

    author: Author
    id: str
    time: datetime
    rows: Sequence[Row]
    scores: Sequence[Score]
    choices: Sequence[int]
    entity: str = ""
    headers: tuple[Header, ...] = ()

    def ids(self) -> list[str]:
        """Name the rows: as the request, and by their number where there are several."""
        if len(self.rows) == 1:
            return [self.id]
        return [f"{self.id}-{row}" for row in range(len(self.rows))]


class Records(NamedTuple):
    """Predictions as they are published, as columns.

    Attributes:
        attributes: headers that differ between them.
        further: row -> headers of its own.

    """

    keys: list[bytes]
    values: list[bytes]
    attributes: dict[str, Sequence[bytes]]
    further: dict[int, tuple[Header, ...]]


def records(group: Sequence[Inferred]) -> Records:
    """Write the predictions of requests that one author answered."""
    author, encode = group[0].author, ENCODER.encode
    ids, spelled, times, keys = list[bytes](), [], list[bytes](), []
    further = {}
    for inferred in group:
        time, entity = encode(inferred.time)[1:-1], inferred.entity.encode()
        for identity in inferred.ids():
            raw = identity.encode()
            if inferred.headers:
                further[len(ids)] = inferred.headers
            ids.append(raw)
            spelled.append(encode(identity)[1:-1])
            times.append(time)
            keys.append(entity or raw)
    values = author.writer.values(
        spelled,
        times,
        [author.features.json(row) for inferred in group for row in inferred.rows],
        np.asarray([score for inferred in group for score in inferred.scores]),
        [choice for inferred in group for choice in inferred.choices],
    )
    return Records(keys, values, author.writer.attributes(ids, times), further)

"""What a request was answered, on its way to Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from services.serving.domain.features import Row, RowWriter
from services.serving.domain.predictions import Header, Writer
from services.serving.domain.replies import Score

ENCODER = msgspec.json.Encoder()
Records = tuple[list[bytes], list[bytes], list[list[Header]]]


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


def records(group: Sequence[Inferred]) -> Records:
    """Write the predictions of requests that one author answered."""
    author, encode = group[0].author, ENCODER.encode
    ids = [identity for inferred in group for identity in inferred.ids()]
    raw = [identity.encode() for identity in ids]
    own = [
        (encode(inferred.time)[1:-1], inferred.entity.encode(), inferred.headers)
        for inferred in group
        for _ in inferred.rows
    ]
    times = [time for time, _, _ in own]
    values = author.writer.values(
        [encode(identity)[1:-1] for identity in ids],
        times,
        [author.features.json(row) for inferred in group for row in inferred.rows],
        np.asarray([score for inferred in group for score in inferred.scores]),
        [choice for inferred in group for choice in inferred.choices],
    )
    keys = [entity or identity for (_, entity, _), identity in zip(own, raw, strict=True)]
    headers = author.writer.headers(raw, times)
    for written, (_, _, more) in zip(headers, own, strict=True):
        written += more
    return keys, values, headers

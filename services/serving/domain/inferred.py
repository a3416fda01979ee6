"""What a request was answered, on its way to Kafka."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from services.serving.domain.features import Row
from services.serving.domain.predictions import Header, Writer
from services.serving.domain.replies import Score

ENCODER = msgspec.json.Encoder()
Records = tuple[list[bytes], list[bytes], list[list[Header]]]


class Inferred(msgspec.Struct, frozen=True):
    """The rows of one request and what one version made of them.

    Attributes:
        writer: writes predictions of this version under this plan.
        names: of the features.
        choices: places of the decisions among the answers.
        time: of the request, RFC 3339.
        entity: key of the records; empty for each its own id.
        headers: further ones of each record.

    """

    model: str
    version: str
    writer: Writer
    names: Sequence[str]
    id: str
    time: str
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
    """Write the predictions of requests that were answered by one version under one plan."""
    encode, writer, names = ENCODER.encode, group[0].writer, group[0].names
    ids = [identity for inferred in group for identity in inferred.ids()]
    raw = [identity.encode() for identity in ids]
    times = [inferred.time.encode() for inferred in group for _ in inferred.rows]
    values = writer.values(
        [encode(identity)[1:-1] for identity in ids],
        times,
        [encode(dict(zip(names, row, strict=True))) for i in group for row in i.rows],
        np.asarray([score for inferred in group for score in inferred.scores]),
        [choice for inferred in group for choice in inferred.choices],
    )
    entities = [inferred.entity.encode() for inferred in group for _ in inferred.rows]
    keys = [entity or identity for entity, identity in zip(entities, raw, strict=True)]
    own = [inferred.headers for inferred in group for _ in inferred.rows]
    headers = [[*h, *more] for h, more in zip(writer.headers(raw, times), own, strict=True)]
    return keys, values, headers

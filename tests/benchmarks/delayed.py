"""Predictions and the labels that come hours later, as the monitor hears them."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from contracts.data import LABELS, LABELS_VALIDATED, PREDICTIONS
from tests.benchmarks.material import MODEL, START, STEP, Events, labels
from tests.benchmarks.rows import Rows, own_rows, user_rows

LABELLED = 0.97
LATEST_S = 5 * 3600
FALSE = b"false"
ENDS = 40  # enough that every partition gets some


def delayed(events: Events) -> list[Rows]:
    """Lay out predictions in event time and labels in label time.

    Half of the predictions have a shadow. At the end come some of each from far later, which tell
    the watermarks that everything before is due.
    """
    return [_predictions(events), _labels(events)]


def _predictions(events: Events) -> Rows:
    drawn = np.random.default_rng(7).uniform(size=len(events)).tolist()
    values = [
        b'{"id":"%b","time":"%b","model":"%b","version":"1.0.0","score":%b,"decision":%b,'
        b'"features":%b,"plan":"plan-1","role":"stable","shadow":%b}'
        % (
            *(name.encode(), time.encode(), MODEL.encode(), repr(score).encode()),
            b"true" if score >= 0.5 else b"false",
            features,
            b'{"version":"0.0.0","score":0.5}' if number % 2 else b"null",
        )
        for number, (name, time, score, features) in enumerate(
            zip(events.ids, events.times, drawn, events.features, strict=True)
        )
    ]
    ids, times = [*events.ids, *_end_ids()], [*events.times, *[_end()] * ENDS]
    template, last = values[0], (events.ids[0].encode(), events.times[0].encode())
    values += [
        template.replace(last[0], name.encode(), 1).replace(last[1], _end().encode(), 1)
        for name in _end_ids()
    ]
    return own_rows(PREDICTIONS, ids, times, values)


def _labels(events: Events) -> Rows:
    rows = [*labelled(events), *((name, _end(), FALSE) for name in _end_ids())]
    ids, times = [name for name, _, _ in rows], [time for _, time, _ in rows]
    return own_rows(LABELS_VALIDATED, ids, times, [_label(*row) for row in rows])


def user_labels(events: Events) -> Rows:
    """Lay out labels in label time as users publish them."""
    rows = labelled(events)
    return user_rows(LABELS, [name for name, _, _ in rows], [_label(*row) for row in rows])


def labelled(events: Events) -> list[tuple[str, str, bytes]]:
    """Draw the labels of most events, in label time: id, time and value of each."""
    drawn = np.random.default_rng(8)
    delays = drawn.uniform(0, LATEST_S, len(events)).tolist()
    truth = labels(events.matrix, seed=9).tolist()
    chosen = (drawn.uniform(size=len(events)) < LABELLED).nonzero()[0].tolist()
    said = sorted((n * STEP + timedelta(seconds=delays[n]), n) for n in chosen)
    return [
        (events.ids[n], spelled(events.start + after), b"true" if truth[n] else FALSE)
        for after, n in said
    ]


def _label(name: str, time: str, value: bytes) -> bytes:
    return b'{"id":"%b","time":"%b","value":%b}' % (name.encode(), time.encode(), value)


def _end_ids() -> list[str]:
    return [f"end/{n}" for n in range(ENDS)]


def _end() -> str:
    return spelled(START + timedelta(days=300))


def spelled(time: datetime) -> str:
    """Spell a time as CloudEvents do, to the second."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"

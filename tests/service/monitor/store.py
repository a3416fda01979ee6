"""The monitor's store in memory; `suite.py` holds it against the real one."""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import replace

from services.monitor.domain.copies import REACH, SIZE
from services.monitor.domain.labels import ENTRY, HEADER, WAITING, Label, Remembered
from services.monitor.domain.watermarks import NEVER, Heard
from services.monitor.ports import Claimed, Head

BIN_US = 86_400_000_000
MOST_LABELS = 32


class MemoryStore:
    """What Redis would hold; `failures` are raised first, one per call that changes something."""

    def __init__(self):
        self.failures = []
        self.flush()

    def flush(self):
        self.marks = defaultdict(dict)
        self.model = {}
        self.places_of, self.windows_of = {}, {}
        self.heads_of, self.recent_of = {}, {}
        self.ids = {}
        self.bins = defaultdict(lambda: defaultdict(int))
        self.ledgers = {}

    def _trouble(self):
        if self.failures and (failure := self.failures.pop(0)):
            raise failure

    async def advance(self, model, heard, watermark):
        self._trouble()
        self.model[model] = max(watermark, self.model.get(model, NEVER))
        for partition, new in heard.items():
            old = self.marks[model].get(partition, new)
            self.marks[model][partition] = Heard(max(old.time, new.time), max(old.at, new.at))

    async def heard(self, model):
        return dict(self.marks[model]), self.model.get(model, NEVER)

    async def places(self, model, partition):
        return self.places_of.get((model, partition))

    async def place(self, model, partition, places, windows=None):
        self._trouble()
        self.places_of[model, partition] = places
        if windows is not None:
            self.windows_of[model, partition] = windows

    async def keep(self, model, batches):
        self._trouble()
        return [self._keep(model, batch) for batch in batches]

    def _keep(self, model, batch):
        where = (model, batch.partition)
        places = self.places_of.get(where)
        if places is None or places.labels < batch.first:
            return None
        answers = {}
        entries = zip(parts(batch.ids, 16), parts(batch.labels, 24), strict=True)
        for row, (key, packed) in enumerate(entries):
            label = Label(*ENTRY.unpack(packed))
            known = self.ids.get((*where, key))
            if known is None:
                known = Remembered(WAITING, 0, (label,))
                self.bins[where][label.time // BIN_US] += 1
            elif not any(old[:2] == label[:2] for old in known.labels):
                known = replace(known, labels=(*known.labels, label)[-MOST_LABELS:])
            self.ids[(*where, key)] = known
            if known.prediction != WAITING:
                answers[row] = remembered(known)
        self.places_of[where] = replace(places, labels=max(places.labels, batch.end))
        return answers

    async def claim(self, model, batches):
        self._trouble()
        return [self._claim(model, batch) for batch in batches]

    def _claim(self, model, batch):
        where = (model, batch.partition)
        places = self.places_of.get(where)
        if places is None or places.predictions < batch.first:
            return None
        records, bins = [], self.bins[where]
        for key, packed in zip(parts(batch.ids, 16), parts(batch.offsets, 8), strict=True):
            (offset,) = struct.unpack(">q", packed)
            known = self.ids.get((*where, key), Remembered(WAITING, 0, ()))
            if known.prediction == WAITING:
                if known.labels:
                    bins[known.labels[0].time // BIN_US] -= 1
                told = offset < places.told_predictions
                joined_at = places.told_labels if told else places.labels
                known = Remembered(offset, joined_at, known.labels)
                self.ids[(*where, key)] = known
            records.append(remembered(known))
        lost = [bin_ for bin_ in bins if bin_ < batch.given_up // BIN_US]
        unmatched = sum(max(0, bins.pop(bin_)) for bin_ in lost)
        return Claimed(places, self.windows_of.get(where, b""), unmatched, records)

    async def count(self, model, counted):
        self._trouble()
        done = []
        for new in counted:
            where = (model, new.partition)
            places = self.places_of.get(where)
            done.append(places is not None and places.predictions == new.known)
            if done[-1]:
                self.places_of[where] = replace(places, predictions=new.end)
                self.windows_of[where] = new.windows
        return done

    async def windows(self, model, partition):
        return self.windows_of.get((model, partition), b"")

    async def heads(self, model, partitions):
        return [self.heads_of.get((model, partition)) for partition in partitions]

    async def place_head(self, model, partition, head):
        self._trouble()
        self.heads_of[model, partition] = head
        self.recent_of.pop((model, partition), None)

    async def count_heads(self, model, counted):
        self._trouble()
        done = []
        for new in counted:
            head = self.heads_of.get((model, new.partition))
            done.append(head is not None and head.offset == new.known)
            if done[-1]:
                self.heads_of[model, new.partition] = Head(new.end, new.windows)
                ids = self.recent_of.get((model, new.partition), b"") + new.ids
                kept = ids[-REACH * SIZE :] if len(ids) > 2 * REACH * SIZE else ids
                self.recent_of[model, new.partition] = kept
        return done

    async def recent(self, model, partition):
        return self.recent_of.get((model, partition), b"")

    async def ledger(self, model):
        return self.ledgers.get(model)

    async def knows_ledgers(self):
        return bool(self.ledgers)

    async def write_ledger(self, model, ledger, known):
        self._trouble()
        if self.ledgers.get(model) != known:
            return False
        self.ledgers[model] = ledger
        return True


def label(time: int, value: float, offset: int) -> bytes:
    return ENTRY.pack(time, value, offset)


def remembered(known: Remembered) -> bytes:
    head = HEADER.pack(known.prediction, known.joined_at)
    return head + b"".join(label(*one) for one in known.labels)


def parts(packed: bytes, size: int) -> list[bytes]:
    return [packed[at : at + size] for at in range(0, len(packed), size)]

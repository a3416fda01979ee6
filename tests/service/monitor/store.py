"""The monitor's store in memory; `suite.py` holds it against the real one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from services.monitor.domain.labels import WAITING, Label, Remembered
from services.monitor.domain.watermarks import NEVER, Heard
from services.monitor.ports import Claimed

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
        answers = []
        for key, packed in batch.labels:
            label = Remembered.unpacked(bytes(16) + packed).labels[0]
            known = self.ids.get((*where, key))
            if known is None:
                known = Remembered(WAITING, 0, (label,))
                self.bins[where][label.time // BIN_US] += 1
            elif not any(old[:2] == label[:2] for old in known.labels):
                known = replace(known, labels=(*known.labels, label)[-MOST_LABELS:])
            self.ids[(*where, key)] = known
            answers.append(b"" if known.prediction == WAITING else known.packed())
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
        for key, offset in batch.ids:
            known = self.ids.get((*where, key), Remembered(WAITING, 0, ()))
            if known.prediction == WAITING:
                if known.labels:
                    bins[known.labels[0].time // BIN_US] -= 1
                told = offset < places.told_predictions
                joined_at = places.told_labels if told else places.labels
                known = Remembered(offset, joined_at, known.labels)
                self.ids[(*where, key)] = known
            records.append(known.packed())
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

    async def ledger(self, model):
        return self.ledgers.get(model)

    async def knows_ledgers(self):
        return bool(self.ledgers)

    async def write_ledger(self, model, ledger):
        self._trouble()
        self.ledgers[model] = ledger


def label(time: int, value: float, offset: int) -> bytes:
    return Label(time, value, offset).packed()

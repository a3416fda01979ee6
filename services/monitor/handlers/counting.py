"""predictions -> the model's watermark: the head group, where cells will be counted too."""

from __future__ import annotations

from services.monitor.domain.watermarks import Heard, model_watermark
from services.monitor.handlers.payloads import TIMED
from services.monitor.handlers.reading import read
from services.monitor.ports import Store
from shared.clock import Clock
from shared.kafka import Batch, Told


async def count_predictions(batch: Batch, *, store: Store, clock: Clock, idle_s: float) -> Told:
    """Predictions -> how far event time has come, by partition and model."""
    now = clock().timestamp()
    # What cannot be read is parked by the join; here it only has no time.
    times = {run.position.partition: read(run.records, TIMED.decode).times for run in batch.runs}
    known, held = await store.heard(batch.model)

    fresh = {
        partition: Heard(int(heard.max()), now)
        for partition, heard in times.items()
        if len(heard) and (partition not in known or heard.max() > known[partition].time)
    }
    watermark = model_watermark(known | fresh, held=held, now=now, idle_s=idle_s)

    await store.advance(batch.model, fresh, watermark)
    return Told()

"""predictions -> the model's watermark: the head group, where cells will be counted too."""

from __future__ import annotations

from services.monitor.domain.watermarks import NEVER, Heard, model_watermark
from services.monitor.handlers.payloads import TIMED, decoded, microseconds
from services.monitor.ports import Store
from shared.clock import Clock
from shared.kafka import Batch, Told


async def count_predictions(batch: Batch, *, store: Store, clock: Clock, idle_s: float) -> Told:
    """Predictions -> how far event time has come, by partition and model."""
    now = clock().timestamp()
    newest: dict[int, int] = {}
    for record in batch.records:
        try:
            time = microseconds(decoded(TIMED, record.value).time)
        except ValueError:
            continue  # The join parks it; here it only has no time.
        newest[record.partition] = max(newest.get(record.partition, NEVER), time)
    known, held = await store.heard(batch.model)

    fresh = {
        partition: Heard(time, now)
        for partition, time in newest.items()
        if partition not in known or time > known[partition].time
    }
    watermark = model_watermark(known | fresh, held=held, now=now, idle_s=idle_s)

    await store.advance(batch.model, fresh, watermark)
    return Told()

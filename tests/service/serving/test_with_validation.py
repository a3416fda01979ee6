"""Validation and serving on one Kafka: from a user's event to the prediction."""

from tests.service.serving.world import World as Serving
from tests.service.serving.world import declaration, event, linear
from tests.service.validation.world import World as Validation


async def test_every_event_is_predicted_or_quarantined_once(tmp_path):
    validation = Validation(partitions=4)
    serving = Serving(tmp_path, kafka=validation.kafka).born(declaration())
    serving.promote("1.0.0", linear(0, seats=1.0))
    topic = "test.data.flight-delay.events.v1"
    stream = [event(n, seats="many" if n % 50 == 7 else n) for n in range(300)]
    await validation.send(*stream)
    await validation.send(*stream[:20], b"garbage")
    for consumer in (validation.consumer, serving.consumer):
        await validation.kafka.redeliver(consumer)
    assert len(validation.kafka.records(topic)) == 321
    ids = [p["id"] for p in serving.predictions]
    good = {f"e{n}" for n in range(300) if n % 50 != 7}
    assert set(ids) == good
    by_id = {}
    for record, prediction in zip(serving.records, serving.predictions, strict=True):
        assert by_id.setdefault(prediction["id"], record.value) == record.value
    headers = [dict(r.headers) for r in validation.quarantined]
    origins = {(h["quarantine-partition"], h["quarantine-offset"]) for h in headers}
    assert len(origins) == 6 + 1 + 1
    assert serving.parked == []

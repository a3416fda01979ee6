"""A service whose process one record ends; takes bootstrap address, prefix and state folder."""

import asyncio
import os
import sys
from pathlib import Path

from contracts.data import EVENTS, EVENTS_VALIDATED
from shared.kafka import Consumer, CrashLedger, Message, Names, Producer, Told
from shared.telemetry import set_up


async def main(kafka: str, prefix: str, state: str) -> None:
    """Echo until everything is committed."""
    names, telemetry = Names(prefix), set_up("crashing")
    ledger, publisher = CrashLedger(Path(state), "crashing", "0"), Producer(kafka)

    async def echo(batch):
        told = Told()
        for record in batch.records:
            if record.value == b"deadly":
                os.abort()
            topic = names.data(EVENTS_VALIDATED, batch.model)
            told.messages.append(Message(topic, record.key, record.value, cause=record))
        return told

    consumer = Consumer(
        telemetry,
        "echo",
        kafka=kafka,
        names=names,
        publisher=publisher,
        instance="0",
        ledger=ledger,
    )
    consumer.on_data(EVENTS, echo)
    for part in (ledger, publisher, consumer):
        await part.start()
    reader = consumer.reader
    assert reader is not None
    ends = await reader.end_offsets(list(reader.assignment()))
    while any([(await reader.committed(p) or 0) < end for p, end in ends.items()]):
        await asyncio.sleep(0.05)
    for part in (consumer, publisher, ledger):
        await part.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

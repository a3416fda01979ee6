"""SIGKILL of each service in turn while twenty days of flights go through: nothing is lost."""

import asyncio
import contextlib
import json
from datetime import UTC, date, datetime

import pytest
from deltalake import DeltaTable

from driftwheel import Client
from driftwheel.declarations import Declaration
from examples.demo.ground import attached_ground
from examples.demo.ledger import Ledger
from examples.demo.play import Progress, play
from examples.demo.reading import Books
from examples.flights.demo import FLIGHTS
from tests.e2e.platform import Platform, by_id, eventually, running_platform

MODEL = FLIGHTS.model
SERVICES = ("validation", "serving", "monitor", "training", "registry", "ingest")
FIRST, LAST = date(2013, 1, 1), date(2013, 1, 20)


@pytest.fixture
def platform(tmp_path):
    with running_platform(tmp_path / "stack") as platform:
        yield platform


async def test_kill_minus_nine_of_each_service_in_turn_loses_nothing(platform: Platform):
    books = await _twenty_days_with_kills(platform)
    assert books.ledger.unanswered == 0
    assert books.ledger.overdue == 0

    await _copies_agree(platform, "predictions")
    outcomes = await _copies_agree(platform, "outcomes")
    await _no_copy_in_the_offline_store(platform, outcomes)
    await _no_copy_in_the_metrics(platform, outcomes)


async def _twenty_days_with_kills(platform: Platform) -> Books:
    ground = attached_ground(platform.folder)
    ledger = Ledger(FLIGHTS.patience, _midnight(FIRST), FLIGHTS.cost)
    books, progress = Books(ground, MODEL, ledger), Progress()
    client = Client(kafka=ground.kafka, prefix=ground.prefix)
    await client.apply(Declaration(FLIGHTS.declaration).content)
    reading = asyncio.create_task(books.keep())
    try:
        playing = asyncio.create_task(play(client, MODEL, FLIGHTS.replay(FIRST, LAST), 1, progress))
        for number, name in enumerate(SERVICES):
            await eventually(f"day {2 + 3 * number}", _reached(progress, 2 + 3 * number), 120)
            platform.kill(name)
        await asyncio.wait_for(playing, 120)

        async def settled():
            return ledger.events and ledger.lost == 0

        await eventually("everything is answered and every matured label joined", settled, 90)
    finally:
        await client.close()
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    return books


def _reached(progress, day):
    async def check():
        return progress.date is not None and progress.date.day >= day

    return check


def _midnight(day):
    return datetime.combine(day, datetime.min.time(), UTC)


async def _copies_agree(platform, kind):
    """Copies in a log carry the same content, so one record per id is the whole truth."""
    grouped = by_id(await platform.records(f"data.{MODEL}.{kind}.v1"))
    different = {id_: set(values) for id_, values in grouped.items() if len(set(values)) > 1}
    assert different == {}
    return {id_: json.loads(values[0]) for id_, values in grouped.items()}


async def _no_copy_in_the_offline_store(platform, outcomes):
    async def stored():
        table = DeltaTable(platform.folder / "state" / "offline" / MODEL)
        ids = table.to_pyarrow_table(columns=["id"])["id"].to_pylist()
        return ids if len(set(ids)) == len(outcomes) else None

    ids = await eventually("every outcome is in the offline store", stored, 60)
    assert len(ids) == len(set(ids))
    assert set(ids) == set(outcomes)


async def _no_copy_in_the_metrics(platform, outcomes):
    measured = {}
    for event in await platform.values("performance.measured.v1"):
        key = (event["version"], event["window"]["start"])
        assert measured.setdefault(key, event["n"]) == event["n"]
    assert measured
    days = {}
    for outcome in outcomes.values():
        key = (outcome["version"], outcome["time"][:10] + "T00:00:00Z")
        days[key] = days.get(key, 0) + 1
    closed = {key: n for key, n in measured.items() if n}
    assert {key: days[key] for key in closed} == closed

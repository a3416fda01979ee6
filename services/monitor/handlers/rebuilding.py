"""Where to count the head of a partition from when the store has lost it."""

from __future__ import annotations

from services.monitor.domain.heads import BEFORE_ALL, Heads
from services.monitor.domain.tallies import start_of
from services.monitor.handlers.heads import packed
from services.monitor.handlers.payloads import TIMED, Payloads
from services.monitor.handlers.reading import read
from services.monitor.ports import Head, Log
from shared.kafka import Position

REACH_WINDOWS = 4


async def rebuilt(payloads: Payloads, position: Position, log: Log, group: str) -> Head:
    """Find where to count a partition from when nothing is known of it any more.

    All windows that were open at the commit must be counted whole. Those that begin before, or soon
    after, the first prediction that is read again cannot be, and are left alone.
    """
    beginning = (await log.bounds([position]))[position][0]
    commits = await log.committed(group, [position])
    commit = max(beginning, commits.get(position, beginning))
    last = await log.record(position, commit - 1) if commit > beginning else None
    start, heads = beginning, Heads()
    if last is not None:
        reach_ms = (REACH_WINDOWS * payloads.window + payloads.lateness) // 1000
        since = last.timestamp - reach_ms
        start = max(beginning, min(commit, await log.offset_at(position, since)))
    if start > 0:
        heads.whole_from = heads.closed = await _first_whole(payloads, position, start, log)
    return Head(start, packed(heads))


async def _first_whole(payloads: Payloads, position: Position, start: int, log: Log) -> int:
    """Find the first window of which no prediction can lie before `start`."""
    record = await log.record(position, start)
    if record is None:
        return BEFORE_ALL
    times = read([record], TIMED.decode).times
    if not len(times):
        return await _first_whole(payloads, position, record.offset + 1, log)
    # A whole window of room for the disorder of the stream.
    return start_of(int(times[0]), payloads.window) + 2 * payloads.window

"""The store in Redis 6.2 or later: one script per step, keys of a partition under one hash tag."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from services.monitor.domain.copies import REACH, SIZE
from services.monitor.domain.watermarks import NEVER, Heard
from services.monitor.ports import Arrived, Claimed, Counted, Due, Head, Places

# Nothing that a message says makes Redis refuse; a script's refusal names no class of its own.
TRANSIENT: tuple[type[Exception], ...] = (RedisError,)
BIN_US = 86_400_000_000
FIELDS = ("predictions", "labels", "told_predictions", "told_labels")
SCRIPTS = {
    name: (Path(__file__).parent / f"{name}.lua").read_text()
    for name in ("advance", "keep", "claim", "count", "head", "ledger")
}
SHAS = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in SCRIPTS.items()}  # noqa: S324 - Redis names scripts so

Call = tuple[str, list[bytes], list[Any]]


class RedisStore:
    """Keeps labels, places and windows in Redis.

    Args:
        url: of the server; `noeviction` is required there.
        prefix: of the deployment's keys.
        label_ttl_s: wall seconds that a label waits for its prediction.

    """

    def __init__(self, url: str, prefix: str, *, label_ttl_s: int) -> None:
        self.url, self.prefix = url, prefix
        self.label_ttl_s = label_ttl_s
        self._redis: Redis | None = None

    async def start(self) -> None:
        """Connect."""
        self._redis = self._redis or Redis.from_url(
            self.url, socket_timeout=5, socket_connect_timeout=5
        )
        async with asyncio.timeout(5):
            await self._client.execute_command("PING")

    async def stop(self) -> None:
        """Disconnect."""
        client, self._redis = self._redis, None
        if client is not None:
            await client.aclose()

    def unready(self) -> str | None:
        """Say why the store cannot be used; an outage shows at the consumers that wait for it."""
        return None if self._redis is not None else "not connected to Redis"

    async def advance(self, model: str, heard: Mapping[int, Heard], watermark: int) -> None:
        """See `ports.Store`."""
        args: list[Any] = [watermark]
        for partition, last in heard.items():
            args += [partition, last.time, last.at]
        await self._run([("advance", [self._key(model, "watermarks")], args)])

    async def heard(self, model: str) -> tuple[dict[int, Heard], int]:
        """See `ports.Store`."""
        found = await self._client.hgetall(self._key(model, "watermarks"))
        times = {
            int(name[5:]): Heard(int(value), float(found[b"at:" + name[5:]]))
            for name, value in found.items()
            if name.startswith(b"time:")
        }
        return times, int(found.get(b"model", NEVER))

    async def places(self, model: str, partition: int) -> Places | None:
        """See `ports.Store`."""
        found = await self._client.hmget(self._key(model, partition), FIELDS)
        return None if found[0] is None else Places(*map(int, found))

    async def place(
        self, model: str, partition: int, places: Places, windows: bytes | None = None
    ) -> None:
        """See `ports.Store`."""
        fields: dict[str, Any] = {name: getattr(places, name) for name in FIELDS}
        fields |= {} if windows is None else {"windows": windows}
        await self._client.hset(self._key(model, partition), mapping=fields)

    async def keep(self, model: str, batches: Sequence[Arrived]) -> list[dict[int, bytes] | None]:
        """See `ports.Store`."""
        calls: list[Call] = [
            (
                "keep",
                self._keys(model, batch.partition),
                [batch.first, batch.end, self.label_ttl_s, BIN_US, batch.ids, batch.labels],
            )
            for batch in batches
        ]
        answers = await self._run(calls)
        return [
            None if answer is None else dict(zip(answer[::2], answer[1::2], strict=True))
            for answer in answers
        ]

    async def claim(self, model: str, batches: Sequence[Due]) -> list[Claimed | None]:
        """See `ports.Store`."""
        calls: list[Call] = []
        for batch in batches:
            head = [batch.first, batch.grace_s, BIN_US, batch.given_up // BIN_US]
            keys = self._keys(model, batch.partition)
            calls.append(("claim", keys, [*head, batch.ids, batch.offsets]))
        return [_claimed(answer) for answer in await self._run(calls)]

    async def count(self, model: str, counted: Sequence[Counted]) -> list[bool]:
        """See `ports.Store`."""
        calls: list[Call] = [
            ("count", [self._key(model, new.partition)], [new.known, new.end, new.windows])
            for new in counted
        ]
        return [bool(answer) for answer in await self._run(calls)]

    async def windows(self, model: str, partition: int) -> bytes:
        """See `ports.Store`."""
        return await self._client.hget(self._key(model, partition), "windows") or b""

    async def heads(self, model: str, partitions: Sequence[int]) -> list[Head | None]:
        """See `ports.Store`."""
        pipeline: Pipeline = self._client.pipeline(transaction=False)
        for partition in partitions:
            pipeline.hmget(self._head(model, partition), "predictions", "windows")
        found = await pipeline.execute()
        return [None if at is None else Head(int(at), windows) for at, windows in found]

    async def place_head(self, model: str, partition: int, head: Head) -> None:
        """See `ports.Store`."""
        fields: dict[str, Any] = {"predictions": head.offset, "windows": head.windows}
        pipeline: Any = self._client.pipeline()
        pipeline.delete(self._recent(model, partition))
        pipeline.hset(self._head(model, partition), mapping=fields)
        await pipeline.execute()

    async def count_heads(self, model: str, counted: Sequence[Counted]) -> list[bool]:
        """See `ports.Store`."""
        calls: list[Call] = [
            (
                "head",
                [self._head(model, new.partition), self._recent(model, new.partition)],
                [new.known, new.end, new.windows, new.ids, REACH * SIZE],
            )
            for new in counted
        ]
        return [bool(answer) for answer in await self._run(calls)]

    async def recent(self, model: str, partition: int) -> bytes:
        """See `ports.Store`."""
        return await self._client.get(self._recent(model, partition)) or b""

    async def ledger(self, model: str) -> bytes | None:
        """See `ports.Store`."""
        found: bytes | None = await self._client.hget(self._ledgers, model)
        return found

    async def knows_ledgers(self) -> bool:
        """See `ports.Store`."""
        return bool(await self._client.exists(self._ledgers))

    async def write_ledger(self, model: str, ledger: bytes, known: bytes | None) -> bool:
        """See `ports.Store`."""
        digest = hashlib.sha1(known).hexdigest() if known is not None else ""  # noqa: S324 - as Redis has it
        keys = [self._ledgers.encode()]
        (written,) = await self._run([("ledger", keys, [model, digest, ledger])])
        return bool(written)

    @property
    def _client(self) -> Any:
        if self._redis is None:
            raise RedisConnectionError("not connected to Redis")
        return self._redis

    @property
    def _ledgers(self) -> str:
        return f"{self.prefix}monitor:ledgers"

    def _key(self, model: str, part: int | str) -> bytes:
        return f"{self.prefix}monitor:{{{model},{part}}}".encode()

    def _head(self, model: str, partition: int) -> bytes:
        return self._key(model, partition) + b":head"

    def _recent(self, model: str, partition: int) -> bytes:
        return self._head(model, partition) + b":ids"

    def _keys(self, model: str, partition: int) -> list[bytes]:
        places = self._key(model, partition)
        return [places, places + b":unmatched"]

    async def _run(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts in one round trip; each is safe to run again."""
        if not calls:
            return []
        try:
            return await self._pipeline(calls)
        except NoScriptError:
            for text in SCRIPTS.values():
                await self._client.script_load(text)
            return await self._pipeline(calls)

    async def _pipeline(self, calls: Sequence[Call]) -> list[Any]:
        pipeline: Pipeline = self._client.pipeline(transaction=False)
        for name, keys, args in calls:
            pipeline.execute_command("EVALSHA", SHAS[name], len(keys), *keys, *args)
        answers: list[Any] = await pipeline.execute()
        return answers


def _claimed(answer: Any) -> Claimed | None:
    if answer is None:
        return None
    *places, windows, unmatched, records = answer
    return Claimed(Places(*map(int, places)), windows, unmatched, records)

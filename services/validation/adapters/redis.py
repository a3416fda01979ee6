"""The memory in Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.validation.ports import Entry
from shared.errors import Transient

REMEMBER = """
for i, key in ipairs(KEYS) do
    redis.call('SET', key, ARGV[2 * i - 1], 'EX', ARGV[2 * i])
end
"""


class RedisMemory:
    """Plain keys with an expiry; a script writes a batch, so that it is whole or not there.

    Args:
        url: redis://host:port/database.
        prefix: of every key, so that several deployments can share a Redis.

    """

    def __init__(self, url: str, prefix: str) -> None:
        self.prefix = prefix.encode()
        self._redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
        self._script = self._redis.register_script(REMEMBER)

    async def start(self) -> None:
        """Connect."""
        await self._answer(cast("Awaitable[Any]", self._redis.ping()))

    async def stop(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    def unready(self) -> str | None:
        """Leave it to the consumer to say that it waits for Redis."""
        return None

    async def recall(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Look up many keys with one MGET."""
        if not keys:
            return []
        found = await self._answer(self._redis.mget([self.prefix + key for key in keys]))
        return cast("list[bytes | None]", found)

    async def remember(self, entries: Sequence[Entry]) -> None:
        """Set many keys with one script."""
        if entries:
            keys = [self.prefix + entry.key for entry in entries]
            arguments = [item for entry in entries for item in (entry.value, entry.ttl_s)]
            await self._answer(self._script(keys=keys, args=arguments))

    @staticmethod
    async def _answer(command: Awaitable[Any]) -> Any:
        try:
            return await command
        except RedisError as error:
            raise Transient(f"redis: {error}") from error

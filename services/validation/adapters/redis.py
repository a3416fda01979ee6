"""The memory in Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.validation.ports import Marks
from shared.errors import Transient

# A batch is one command with packed arguments: a command per id costs the client 60 us each.
RECALL = """
local contents, names = {}, ARGV[1]
for at = 1, #names, 16 do
    local content = redis.call('GET', KEYS[1] .. string.sub(names, at, at + 15))
    contents[#contents + 1] = content or string.rep('\\0', 8)
end
local answer = {table.concat(contents)}
for i = 2, #KEYS do
    answer[i] = redis.call('GET', KEYS[i])
end
return answer
"""
REMEMBER = """
local names, contents, ids_ttl, values_ttl = unpack(ARGV, 1, 4)
for n = 0, #names / 16 - 1 do
    local key = KEYS[1] .. string.sub(names, 16 * n + 1, 16 * n + 16)
    redis.call('SET', key, string.sub(contents, 8 * n + 1, 8 * n + 8), 'EX', ids_ttl)
end
for i = 2, #KEYS do
    redis.call('SET', KEYS[i], ARGV[3 + i], 'EX', values_ttl)
end
"""


class RedisMemory:
    """Plain keys with an expiry; a script writes a batch, so that it is whole or not there.

    Args:
        url: redis://host:port/database.
        prefix: of every key, so that several deployments can share a Redis.
        ids_ttl_s: seconds of wall time that an id is remembered.
        values_ttl_s: seconds of wall time that a value is remembered.

    """

    def __init__(self, url: str, prefix: str, *, ids_ttl_s: int, values_ttl_s: int) -> None:
        self.prefix = prefix.encode()
        self.ids_ttl_s, self.values_ttl_s = ids_ttl_s, values_ttl_s
        self._redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
        self._recall = self._redis.register_script(RECALL)
        self._remember = self._redis.register_script(REMEMBER)

    async def start(self) -> None:
        """Connect."""
        await self._answer(cast("Awaitable[Any]", self._redis.ping()))

    async def stop(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    def unready(self) -> str | None:
        """Leave it to the consumer to say that it waits for Redis."""
        return None

    async def recall(
        self, ids: bytes, names: bytes, keys: Sequence[bytes]
    ) -> tuple[bytes, list[bytes | None]]:
        """Look everything up with one script."""
        script = self._recall(keys=self._own(ids, *keys), args=[names])
        contents, *values = await self._answer(script)
        return contents, values

    async def remember(self, marks: Marks, values: Mapping[bytes, bytes]) -> None:
        """Set everything with one script."""
        times = (self.ids_ttl_s, self.values_ttl_s)
        arguments: list[bytes | int] = [marks.names, marks.contents, *times, *values.values()]
        await self._answer(self._remember(keys=self._own(marks.ids, *values), args=arguments))

    def _own(self, *keys: bytes) -> list[bytes]:
        return [self.prefix + key for key in keys]

    @staticmethod
    async def _answer(command: Awaitable[Any]) -> Any:
        try:
            return await command
        except RedisError as error:
            raise Transient(f"redis: {error}") from error

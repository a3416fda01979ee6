"""Connections that end as connections end, on every event loop."""

from __future__ import annotations

from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError


class Connection(conn.AIOKafkaConnection):
    """Tells the client that its connection is broken, where uvloop says only that it is closed.

    A write after a reset, before the client has read that, ends in RuntimeError there. The client
    takes it for a fault of its own (aiokafka 0.14, aio-libs/aiokafka#1038): the task that
    coordinates a group, or that sends, ends, and the client stands still for good.
    """

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Send a request; answers what awaits the response.

        Raises:
            KafkaConnectionError: there is no connection any more.

        """
        try:
            return super().send(request, expect_response)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)  # type: ignore[no-untyped-call]
            raise KafkaConnectionError(f"{self.host}:{self.port} is gone: {error}") from error


def mend() -> None:
    """Let every client of this process make such connections."""
    conn.AIOKafkaConnection = Connection  # type: ignore[misc]

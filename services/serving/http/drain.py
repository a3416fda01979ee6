"""An end that no request notices: SIGTERM, a grace period, and the last answers."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Drain:
    """Asks clients to close their connections once the end has begun; a part of the service."""

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        """From now on the service is not ready, and every answer closes its connection."""
        self.begun = True

    def over(self, app: ASGIApp) -> ASGIApp:
        """Stand before an application."""

        async def drained(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, _closing(send) if self.begun else send)

        return drained

    async def start(self) -> None:
        """Nothing has to be started."""

    async def stop(self) -> None:
        """Nothing has to be stopped."""

    def unready(self) -> str | None:
        """Say that the end has begun."""
        return "going down" if self.begun else None


def _closing(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return closing

"""The usual request, answered where its last byte is read: no task and no messages for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.serving.domain.predictions import Header
from services.serving.domain.requests import asked
from services.serving.http.drain import Drain
from services.serving.http.paths import Target, target_of
from services.serving.http.protocol import READ
from services.serving.inference import Inference

REPLY = b"HTTP/1.1 200 OK\r\n%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Direct:
    """Answers one row as JSON if nothing has to be waited for; what it leaves goes to `Protocol`.

    Args:
        inference: answers, whatever carries the questions.
        drain: once the end has begun, nothing is usual any more.
        max_body: bytes of a request.

    """

    def __init__(self, inference: Inference, drain: Drain, max_body: int) -> None:
        self.inference, self.drain, self.max_body = inference, drain, max_body

    def target(self, url: bytes) -> Target | None:
        """Read what a request for inference asks; None where it is another one."""
        return None if self.drain.begun else _infer(url)

    def reply(
        self, target: Target, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> bytes | None:
        """Write the body of an answer; None leaves the request as if it had not been seen."""
        trace: tuple[Header, ...] = ()
        for name, value in headers:
            if name == b"traceparent":
                trace = (("traceparent", value),)
            elif name in READ:
                return None
        if len(body) > self.max_body:
            return None
        try:
            served = self.inference.served(target.model)
            question = asked(served.signature, body)
            if not served.outputs.usual(question):
                return None
            answered = self.inference.at_once(served, target.version, question, trace)
        except Exception:
            # `Protocol` comes to the same, and says what it is.
            return None
        if answered is None:
            return None
        opened, inferred = answered
        return opened.reply.body(inferred.id, inferred.scores[0], inferred.choices[0])


class DirectProtocol(HttpToolsProtocol):
    """uvicorn's protocol, but a request for inference is put off until its body is there.

    If it can be answered by then, it is; if not, it goes the way of all others.

    Args:
        given: to uvicorn's protocol.
        direct: answers.

    """

    def __init__(self, *given: Any, direct: Direct, **named: Any) -> None:
        super().__init__(*given, **named)
        self._direct = direct
        self._put_off: Target | None = None
        self._body = b""

    def on_headers_complete(self) -> None:
        """Begin a request, or put it off."""
        target = self._direct.target(self.url)
        if target is not None and self._plain():
            self._put_off, self._body = target, b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._put_off is None:
            super().on_body(body)
            return
        self._body += body
        if len(self._body) > HIGH_WATER_LIMIT:
            self._begin()

    def on_message_complete(self) -> None:
        """Answer what was put off, or begin it after all."""
        if self._put_off is not None:
            body = None
            if self.parser.should_keep_alive() and not self.flow.write_paused:
                body = self._direct.reply(self._put_off, self.headers, self._body)
            if body is not None:
                self._put_off = None
                self._answer(body)
                return
            self._begin()
        super().on_message_complete()

    def shutdown(self) -> None:
        """Let what was put off come to its end, as what has begun does."""
        if self._put_off is not None:
            self._begin()
        super().shutdown()

    def _plain(self) -> bool:
        """Tell whether it is a POST without ceremony, and no request before it is in flight."""
        parser, before = self.parser, self.cycle
        return (
            parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and (before is None or before.response_complete)
        )

    def _begin(self) -> None:
        self._put_off = None
        super().on_headers_complete()
        super().on_body(self._body)

    def _answer(self, body: bytes) -> None:
        lines = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(REPLY % (b"".join(lines), len(body), body))
        self.on_response_complete()


@lru_cache(maxsize=1024)
def _infer(url: bytes) -> Target | None:
    """Read a path that asks for inference; None if it is anything else, or unknown as it stands."""
    try:
        target = target_of(url.decode("ascii"))
    except (LookupError, ValueError):
        return None
    return target if target.what == "infer" else None

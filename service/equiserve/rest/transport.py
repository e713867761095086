"""What uvicorn leaves open at the wire: one system call an answer, bounds on a head and on a peer that does not read,
and offers of another protocol, which are passed over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from equiserve.errors import EquiServeError, InvalidRequest, TooLarge

_MAX_HEAD_BYTES = 64 << 10
# A peer that takes nothing of what waits for it for so long is not reading.
_UNREAD_S = 60.0


def _refusal(status: bytes, error: EquiServeError) -> bytes:
    body = orjson.dumps(error.body())
    head = b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


_HEAD_TOO_LARGE = _refusal(
    b"431 Request Header Fields Too Large",
    TooLarge(
        f"the request's line and headers have more than {_MAX_HEAD_BYTES} bytes", code="head_too_large", field="headers"
    ),
)
_MALFORMED = _refusal(b"400 Bad Request", InvalidRequest("this is no HTTP/1.1 request", code="malformed_http"))


class CoalescingTransport(asyncio.Transport):
    """Passes on everything; what is written within one turn of the event loop is sent at its end in one piece."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._unread = 0
        self._check: asyncio.TimerHandle | None = None

    def write(self, data: Any) -> None:
        """Send data at the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def write_whole(self, data: bytes) -> None:
        """Send a whole answer now, after what was written before it."""
        self._flush()
        if not self._transport.is_closing():
            self._transport.write(data)

    def _flush(self) -> None:
        parts = self._parts
        if parts:
            # The peer may have gone since; uvloop takes no writing to a closed connection.
            if not self._transport.is_closing():
                self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
            parts.clear()

    def close(self) -> None:
        """Send what was written, then close."""
        self._flush()
        self._transport.close()
        self.watch_reader()

    def watch_reader(self) -> None:
        """Cut the connection off unless the peer keeps taking what waits for it."""
        self.forget_reader()
        self._unread = self._transport.get_write_buffer_size()
        if self._unread:
            self._check = self._loop.call_later(_UNREAD_S, self._check_reader)

    def forget_reader(self) -> None:
        """End the watch."""
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _check_reader(self) -> None:
        before = self._unread
        self.watch_reader()
        if self._unread >= before:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._parts.clear()
        self.forget_reader()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Return whether the connection is being closed."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows of the socket."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._flush()
        self._transport.set_protocol(protocol)


class PipelineFlow(FlowControl):
    """uvicorn's flow control, which reads on whenever a request asks for its body: here not while others are queued.

    Else every request that is answered lets in another buffer of pipelined ones, and the queue has no end.
    """

    def __init__(self, transport: asyncio.Transport, pipeline: deque[Any]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Read on once nothing is queued: only the last request of a queue can still lack a part of its body."""
        if self.read_paused and not self._pipeline:
            self.read_paused = False
            self._transport.resume_reading()


class CoalescingHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol over a `CoalescingTransport`, with the bounds that it lacks.

    Offers to upgrade (Java's client makes one with every request, HTTP/2 being its default) are passed over: to
    httptools the body after such a head is no part of the request, and in another packet even a request of its own.
    """

    _coalescing: CoalescingTransport
    _in_head = False
    _head_bytes = 0
    _plain_head = b""  # the head of a request that offers an upgrade, without the offer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        self._coalescing = CoalescingTransport(transport)
        super().connection_made(self._coalescing)
        self.flow = PipelineFlow(self._coalescing, self.pipeline)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        super().connection_lost(exc)
        self._coalescing.forget_reader()

    def pause_writing(self) -> None:
        """Wait for the peer to read, but not for ever."""
        super().pause_writing()
        self._coalescing.watch_reader()

    def resume_writing(self) -> None:
        """The peer has read."""
        super().resume_writing()
        # What is left of the last answer is still to be read.
        if not self.transport.is_closing():
            self._coalescing.forget_reader()

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that goes on and on would be gathered in memory before anybody could refuse it."""
        began_before = self._in_head
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._pass_over(offer, data)
        except httptools.HttpParserError:
            self._refuse(_MALFORMED)
        if began_before and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._in_head = False
                self._refuse(_HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        self._in_head = False
        if self.parser.should_upgrade():
            self._plain_head = self._without_offer()
            return
        super().on_headers_complete()
        # Fields after a chunked body are read by nobody: they are dropped, however many come.
        self.headers = deque(maxlen=0)  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        """The request is complete, unless it is still to be parsed without its offer."""
        if not self._plain_head:
            super().on_message_complete()

    def _pass_over(self, offer: httptools.HttpParserUpgrade, data: bytes) -> None:
        rest = memoryview(data)[offer.args[0] :]
        try:
            while True:
                head, self._plain_head = self._plain_head, b""
                self.parser.feed_data(head)
                try:
                    self.parser.feed_data(rest)
                    return
                except httptools.HttpParserUpgrade as another:
                    rest = rest[another.args[0] :]
        except httptools.HttpParserError:
            self._refuse(_MALFORMED)

    def _without_offer(self) -> bytes:
        method: bytes = self.parser.get_method()
        if method == b"CONNECT":
            raise ValueError("this server is no proxy")
        lines = [method + b" " + self.url + b" HTTP/" + self.parser.get_http_version().encode()]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _refuse(self, refusal: bytes) -> None:
        self.logger.warning("a connection is closed with status %s", refusal[9:12].decode())
        self.transport.write(refusal)
        self.transport.close()

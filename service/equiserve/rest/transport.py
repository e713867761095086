"""One system call an answer, where uvicorn writes head and body apart; and a bound on what comes before a body."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from equiserve.errors import TooLarge

_MAX_HEAD_BYTES = 64 << 10
_TOO_LARGE = orjson.dumps(
    TooLarge(
        f"the request's line and headers have more than {_MAX_HEAD_BYTES} bytes", code="head_too_large", field="headers"
    ).body()
)
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_TOO_LARGE), _TOO_LARGE)
)


class CoalescingTransport(asyncio.Transport):
    """Passes on everything; what is written within one turn of the event loop is sent at its end in one piece."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []

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

    def abort(self) -> None:
        """Close at once."""
        self._parts.clear()
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


class CoalescingHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol over a `CoalescingTransport`, with a bound on what comes before a body."""

    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(CoalescingTransport(transport))

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that goes on and on would be gathered in memory before anybody could refuse it."""
        began_before = self._in_head
        super().data_received(data)
        if began_before and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._in_head = False
                self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        self._in_head = False
        super().on_headers_complete()
        # Fields after a chunked body are read by nobody: they are dropped, however many come.
        self.headers = deque(maxlen=0)  # type: ignore[assignment]

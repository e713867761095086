"""The HTTP protocol of the server: uvicorn's, which hands the usual direct request to a `DirectCycle`.

Whatever is unusual about a request (another route or method, chunks, HTTP/1.0, `Expect`, a large body, a peer that
does not read its answers, pipelining) goes uvicorn's way and is answered by the gate, which also words every refusal
of admission. Both ways call the same functions.
"""

from __future__ import annotations

import asyncio
import math

from equiserve.dataplane import DataPlane
from equiserve.errors import EquiServeError
from equiserve.rest.direct import direct_route
from equiserve.rest.direct_cycle import DirectCycle
from equiserve.rest.gate import Gate
from equiserve.rest.known_heads import Head, known_head, remember
from equiserve.rest.transport import CoalescingHttp
from equiserve.rest.watch import UPLOAD_S

# Larger bodies are read under uvicorn's flow control.
_MAX_BODY = 1 << 20
_VERBS = (b"/infer", b"/classify")


class DirectHttp(CoalescingHttp):
    """One connection."""

    _plane: DataPlane | None = None
    _direct: DirectCycle | None = None  # the last direct request
    _reading: DirectCycle | None = None  # the same while its body is on its way
    _stalled: asyncio.TimerHandle | None = None
    _idle_since = math.inf
    _between_messages = True  # the parser has seen the last message to its end, and nothing since
    _first: tuple[bytes, int] | None = None  # what the parser reads, where that begins with a head, and the head's end

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        if isinstance(self.app, Gate):
            self._plane = self.app.plane
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection, and the request whose answer nobody waits for any more."""
        super().connection_lost(exc)
        self._body_ended()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if self._direct is not None:
            self._direct.abandon()

    def shutdown(self) -> None:
        """Let the request that is under way end, but not for longer than the server waits."""
        super().shutdown()
        grace_s = self.config.timeout_graceful_shutdown
        if self._direct is not None and grace_s is not None:
            self.loop.call_later(grace_s, self._direct.stop)

    def data_received(self, data: bytes) -> None:
        """Take a whole request whose head is known, or parse what came; a body must not stay away for ever."""
        if self._between_messages:
            head, end = known_head(data)
            if head is not None and len(data) == end + head.length:
                cycle = self._admitted(head)
                if cycle is not None:
                    self._idle_since = math.inf
                    self._direct = self.cycle = cycle  # type: ignore[assignment]
                    cycle.feed(data[end:])
                    cycle.start()
                    return
            self._first = (data, end)
        super().data_received(data)
        self._first = None
        if self._reading is not None and self._stalled is None:
            self._stalled = self.loop.call_later(UPLOAD_S, self._reading.stall)

    def on_message_begin(self) -> None:
        """Begin a request; uvicorn's scope is made only where uvicorn answers."""
        self._in_head, self._head_bytes, self._between_messages = True, 0, False
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Decide who answers."""
        self._idle_since = math.inf
        cycle = self._direct_cycle()
        if cycle is not None:
            self._in_head = False
            self.cycle = cycle  # type: ignore[assignment]
            self._direct = self._reading = cycle
            return
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._reading is not None:
            self._reading.feed(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        cycle = self._reading
        if cycle is None:
            super().on_message_complete()
            return
        self._body_ended()
        self._between_messages = True
        if not cycle.response_complete:
            cycle.start()

    def on_response_complete(self) -> None:
        """Go on to the next request, or wait for it, but not for ever."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._await_request()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if no complete head of a request came for long enough, else look again."""
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        # A loop may fire a timer early by as much as its resolution.
        if left < 0.01:
            super().timeout_keep_alive_handler()
        else:
            self._wake_after(min(left, self.timeout_keep_alive))

    def _unset_keepalive_if_required(self) -> None:
        """Leave the timer as it is: it looks at the time, which costs less than a new timer with every request."""

    def _await_request(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wake_after(self.timeout_keep_alive)

    def _wake_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def send(self, data: bytes) -> None:
        """Send the whole answer of a direct request."""
        self._coalescing.write_whole(data)

    def close(self) -> None:
        """Close the connection after what was sent."""
        self.transport.close()

    def _body_ended(self) -> None:
        self._reading = None
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _direct_cycle(self) -> DirectCycle | None:
        """Return the request as a direct one, admitted; None where uvicorn and the gate are to answer."""
        url = self.url
        raw_path, _, query = url.partition(b"?")
        if self._plane is None or not raw_path.endswith(_VERBS) or not url.isascii() or b"%" in raw_path or b"#" in url:
            return None
        parser = self.parser
        if (
            self.expect_100_continue
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
        ):
            return None
        path = raw_path.decode("ascii")
        route = direct_route(path)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        announced = headers.get("content-length", "")
        if route is None or not announced.isdecimal() or len(announced) > 7 or int(announced) > _MAX_BODY:
            return None
        head = Head(route, headers, path, query, int(announced))
        if self._first is not None:
            remember(*self._first, head)
            self._first = None
        return self._admitted(head)

    def _admitted(self, head: Head) -> DirectCycle | None:
        """Return the cycle of a direct request; None where the gate is to answer, which words the refusals."""
        running, plane = self.cycle, self._plane
        if plane is None or (running is not None and not running.response_complete) or self.flow.write_paused:
            return None
        try:
            context = plane.admission.admit("inference", head.headers, head.length)
        except EquiServeError:
            return None  # the gate is told the same, and answers it
        return DirectCycle(self, plane, head.route, head.headers, head.path, head.query, context)
